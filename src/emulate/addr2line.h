// Source lines of machine code, from binutils' addr2line run as a program.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace flashcore::emulate {

/// Where the calls that return to these addresses stand: "kernels/forward_mma/kernel.cuh:83" each,
/// or "kernels/device/tile/vector.h:15 (from kernels/forward_mma/kernel.cuh:83)" in a helper that
/// was inlined. Where addr2line is not installed, or knows nothing, the
/// offset into the shared object ("module+0x1a2b"), or the address where it is in none.
std::vector<std::string> source_lines(std::span<const void* const> return_addresses);

/// One of them.
std::string source_line(const void* return_address);

}  // namespace flashcore::emulate
