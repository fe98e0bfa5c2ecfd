// What no implementation can beat on a machine. A time below it was not measured but invented.
#pragma once

#include <cstdint>

#include "core/problem.h"
#include "cuda/driver.h"

namespace flashcore::bench {

/// What a GPU could reach at its highest clocks, from its data sheet's figures; 0 where one is not
/// known.
struct Peaks {
  double tflops = 0;  // dense 16-bit multiply-adds on the matrix units
  double gb_per_s = 0;
};
Peaks peaks_of(const cuda::DeviceInfo& device);

/// The least microseconds a cold call can take on a GPU: its multiply-adds at the matrix units'
/// peak and highest clock, or its inputs through the memory's peak bandwidth, whichever is more. Of
/// the rotating footprint the part that fits in L2 may have stayed there. 0 where the
/// architecture's peak is not known and the memory's neither.
double gpu_bound_us(const core::Problem& problem, const cuda::DeviceInfo& device,
                    double footprint_bytes);

/// The same for CPU threads, by rates that no CPU reaches: it catches a call that did nothing.
double cpu_bound_us(const core::Problem& problem, int threads);

}  // namespace flashcore::bench
