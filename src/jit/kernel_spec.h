// What the compiler needs to make one kernel.
#pragma once

#include <string>

namespace flashcore::jit {

struct KernelSpec {
  std::string entry;            // the header that defines it, as "forward_scalar/kernel.cuh"
  std::string name_expression;  // the instance, as "flashcore::forward_scalar::forward<Config{…}>"

  bool operator==(const KernelSpec&) const = default;
};

}  // namespace flashcore::jit
