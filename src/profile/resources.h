// What is known of a variant's kernels without a GPU's counters: the compiler's report, how many
// blocks fit on a multiprocessor, which instructions the machine code has.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "dispatch/variants.h"
#include "jit/binary.h"

namespace flashcore::profile {

/// How many of a kernel's blocks a multiprocessor holds, and what keeps it from holding more.
struct Occupancy {
  int blocks = 0;
  double percent = 0;      // of the warps that a multiprocessor can hold
  std::string limited_by;  // "registers", "shared memory", "threads", "blocks"
};

/// CUDA C++ Programming Guide, "Multiprocessor Level", with the allocation units of sm_80 to sm_90:
/// registers by 256 a warp on each of four partitions, shared memory with 1 KiB more for each
/// block.
Occupancy occupancy_of(const core::GpuLimits& gpu, int registers, int shared_bytes, int threads);

/// One kernel of the variant's Config on one architecture.
struct KernelResources {
  core::Arch arch;
  std::string name;  // the instance, without the namespace
  jit::ResourceReport report;
  int shared_bytes = 0;  // of a block, dynamic included
  int threads = 0;       // of a block
  unsigned grid = 0;     // blocks, for this Problem
  Occupancy occupancy;
};

/// On every architecture that the family claims and that supports the Problem. Throws unsupported
/// where none does or there is no compiler, compile_failed where one kernel does not compile.
std::vector<KernelResources> resources_of(const dispatch::Variant& variant,
                                          const core::Problem& problem);

/// Instructions in the machine code by kind, as "tensor", "shared memory", "special functions".
using InstructionMix = std::map<std::string, int>;

/// From a disassembly as cuobjdump and nvdisasm print it.
InstructionMix mix_of(const std::string& disassembly);

struct DisassembledKernel {
  core::Arch arch;
  std::string name;
  InstructionMix mix;
};

/// Every kernel of the variant for one architecture. Throws io where there is no disassembler or it
/// fails.
std::vector<DisassembledKernel> disassemble(const dispatch::Variant& variant,
                                            const core::Problem& problem, core::Arch arch);

}  // namespace flashcore::profile
