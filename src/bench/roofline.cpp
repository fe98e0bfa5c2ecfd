#include "bench/roofline.h"

#include <algorithm>

namespace flashcore::bench {

namespace {

/// Dense 16-bit floating-point operations per clock and multiprocessor, from the architectures'
/// white papers; 0 where none is known.
double operations_per_clock(const core::Arch& arch) {
  switch (arch.major) {
    case 8: return arch.minor == 0 ? 2048 : 1024;
    case 9: return 4096;
    default: return 0;
  }
}

double input_bytes(const core::Problem& p) {
  const auto rows = static_cast<double>(p.heads_q * p.seq_q + 2 * p.heads_kv * p.seq_kv);
  return rows * static_cast<double>(p.batch * p.head_dim) *
         static_cast<double>(core::size_of(p.dtype));
}

}  // namespace

Peaks peaks_of(const cuda::DeviceInfo& device) {
  const double hertz = 1e3 * device.clock_khz;
  return {.tflops = 1e-12 * operations_per_clock(device.limits.arch) *
                    device.limits.multiprocessors * hertz,
          // Both edges of the memory clock carry data.
          .gb_per_s = 2e-6 * device.memory_clock_khz * device.memory_bus_bits / 8};
}

double gpu_bound_us(const core::Problem& problem, const cuda::DeviceInfo& device,
                    double footprint_bytes) {
  const Peaks peaks = peaks_of(device);
  const double operations = 1e12 * peaks.tflops;
  const double bytes_per_second = 1e9 * peaks.gb_per_s;
  const double kept =
      std::min(1.0, static_cast<double>(device.l2_bytes) / std::max(footprint_bytes, 1.0));
  double bound = 0;
  if (operations > 0) bound = problem.flops() / operations;
  if (bytes_per_second > 0)
    bound = std::max(bound, (1 - kept) * input_bytes(problem) / bytes_per_second);
  return 1e6 * bound;
}

double cpu_bound_us(const core::Problem& problem, int threads) {
  constexpr double hertz = 6e9;
  constexpr double operations_per_cycle = 2048;  // matrix extensions on 16-bit elements
  return 1e6 * problem.flops() / (hertz * operations_per_cycle * std::max(threads, 1));
}

}  // namespace flashcore::bench
