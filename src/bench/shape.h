// What to measure, as users write it: "b=1,h=8,s=512,d=64,hkv=2,skv=1024", or a suite's name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/problem.h"

namespace flashcore::bench {

/// The extents; dtype and mask are given apart from them.
struct Shape {
  std::int64_t batch = 1;
  std::int64_t heads_q = 1;
  std::int64_t heads_kv = -1;  // negative: as heads_q
  std::int64_t seq_q = 1;
  std::int64_t seq_kv = -1;  // negative: as seq_q
  std::int64_t head_dim = 64;
};

/// What the emulator computes where no shape is given: seconds for every family.
inline constexpr Shape emulated_shape{.seq_q = 128};

/// Throws invalid_argument naming the key and the value.
Shape parse_shape(std::string_view text);

/// The inverse: "b=1,h=8,s=512,d=64".
std::string to_string(const core::Problem& problem);

/// The command's flags that repeat one Problem: "--shape b=1,h=8,s=512,d=64 --dtype fp16".
std::string flags_of(const core::Problem& problem);

/// A mask without a window, by its kind's name. Throws invalid_argument naming the value.
core::Mask parse_mask(std::string_view kind);

core::Problem to_problem(const Shape& shape, core::Dtype dtype, const core::Mask& mask);

/// "mission", "small", "sweep" or several with commas between them. mission and small take the mask
/// given; sweep has its own two. Throws invalid_argument naming the suites there are.
std::vector<core::Problem> suite_problems(std::string_view names, core::Dtype dtype,
                                          const core::Mask& mask);

}  // namespace flashcore::bench
