// A compiled kernel and what the compiler said of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flashcore::jit {

/// The compiler's resource report (ptxas -v).
struct ResourceReport {
  int registers = 0;     // per thread
  int spill_bytes = 0;   // stores and loads together
  int stack_bytes = 0;   // per thread
  int shared_bytes = 0;  // static, per block
  int barriers = 0;
  /// ptxas makes each of the kernel's WGMMAs wait for the one before, because it cannot prove the
  /// registers of those in flight untouched.
  bool serialized_products = false;

  bool operator==(const ResourceReport&) const = default;
};

/// Where a binary was found.
enum class Origin { memory, cache, pack, compiler };

struct Binary {
  std::vector<std::uint8_t> cubin;
  std::string symbol;  // the lowered name
  ResourceReport report;
};

}  // namespace flashcore::jit
