#include "bench/shape.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "core/error.h"
#include "gate/rules.h"

namespace flashcore::bench {

using core::fail;
using core::MaskKind;
using core::Problem;
using core::Status;

namespace {

/// Large enough for every real problem, small enough that products of extents stay in 64 bits.
constexpr std::int64_t largest_extent = std::int64_t{1} << 24;

/// Elements of one tensor beyond which the memory it takes cannot be meant.
constexpr std::int64_t largest_tensor = std::int64_t{1} << 34;

std::pair<std::string_view, std::string_view> split_at(std::string_view text, char separator) {
  const auto at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::int64_t parse_extent(std::string_view key, std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size())
    fail(Status::invalid_argument, "shape: {} is '{}', which is not a whole number", key, digits);
  const std::int64_t least = key == "skv" ? 0 : 1;
  if (value < least || value > largest_extent)
    fail(Status::invalid_argument, "shape: {} is {}, which is not between {} and {}", key, value,
         least, largest_extent);
  return value;
}

void check_shape(const Shape& shape) {
  const std::int64_t heads_kv = shape.heads_kv < 0 ? shape.heads_q : shape.heads_kv;
  if (shape.heads_q % heads_kv != 0)
    fail(Status::invalid_argument, "shape: h {} is not a multiple of hkv {}", shape.heads_q,
         heads_kv);
  const std::int64_t longest = std::max(shape.seq_q, shape.seq_kv);
  const double elements = static_cast<double>(shape.batch) * static_cast<double>(shape.heads_q) *
                          static_cast<double>(longest) * static_cast<double>(shape.head_dim);
  if (elements > static_cast<double>(largest_tensor))
    fail(Status::invalid_argument, "shape: a tensor of {:.3g} elements, the most is {}", elements,
         largest_tensor);
}

void add_mission(std::vector<Problem>& problems, core::Dtype dtype, const core::Mask& mask) {
  Problem problem = gate::mission_problem();
  problems.push_back(core::contiguous_problem(dtype, problem.batch, problem.heads_q, -1,
                                              problem.seq_q, -1, problem.head_dim, mask));
}

void add_small(std::vector<Problem>& problems, core::Dtype dtype, const core::Mask& mask) {
  constexpr std::array<std::array<std::int64_t, 4>, 6> shapes{{{1, 1, 32, 64},
                                                               {1, 2, 64, 64},
                                                               {1, 4, 128, 64},
                                                               {4, 8, 256, 64},
                                                               {1, 8, 2048, 64},
                                                               {1, 16, 1024, 128}}};
  for (const auto& [batch, heads, seq, head_dim] : shapes)
    problems.push_back(core::contiguous_problem(dtype, batch, heads, -1, seq, -1, head_dim, mask));
}

/// 16k tokens of a model of width 2048, at every length and head_dim, full and causal.
void add_sweep(std::vector<Problem>& problems, core::Dtype dtype) {
  constexpr std::int64_t tokens = 16384;
  constexpr std::int64_t hidden = 2048;
  for (const std::int64_t head_dim : {64, 128, 256})
    for (const MaskKind kind : {MaskKind::none, MaskKind::causal_top_left})
      for (std::int64_t seq = 512; seq <= tokens; seq *= 2)
        problems.push_back(core::contiguous_problem(dtype, tokens / seq, hidden / head_dim, -1, seq,
                                                    -1, head_dim, {kind, -1, -1}));
}

}  // namespace

Shape parse_shape(std::string_view text) {
  Shape shape;
  const std::array<std::pair<std::string_view, std::int64_t*>, 6> keys{{{"b", &shape.batch},
                                                                        {"h", &shape.heads_q},
                                                                        {"s", &shape.seq_q},
                                                                        {"d", &shape.head_dim},
                                                                        {"hkv", &shape.heads_kv},
                                                                        {"skv", &shape.seq_kv}}};
  std::array<bool, 6> given{};
  for (std::string_view rest = text; !rest.empty();) {
    const auto [item, tail] = split_at(rest, ',');
    if (tail.empty() && rest.ends_with(','))
      fail(Status::invalid_argument, "shape: '{}' ends with a comma", text);
    rest = tail;
    const auto [key, value] = split_at(item, '=');
    std::size_t i = 0;
    while (i < keys.size() && keys[i].first != key) ++i;
    if (i == keys.size())
      fail(Status::invalid_argument,
           "shape: unknown key '{}' in '{}'; the keys are b, h, s, d, "
           "hkv, skv",
           key, text);
    if (given[i]) fail(Status::invalid_argument, "shape: {} is given twice in '{}'", key, text);
    given[i] = true;
    *keys[i].second = parse_extent(key, value);
  }
  for (std::size_t i = 0; i < 4; ++i)
    if (!given[i])
      fail(Status::invalid_argument,
           "shape: {} is missing in '{}'; an example is "
           "b=1,h=8,s=512,d=64",
           keys[i].first, text);
  check_shape(shape);
  return shape;
}

std::string to_string(const Problem& p) {
  std::string text = fmt::format("b={},h={},s={},d={}", p.batch, p.heads_q, p.seq_q, p.head_dim);
  if (p.heads_kv != p.heads_q) text += fmt::format(",hkv={}", p.heads_kv);
  if (p.seq_kv != p.seq_q) text += fmt::format(",skv={}", p.seq_kv);
  return text;
}

core::Mask parse_mask(std::string_view kind) {
  if (const auto known = core::mask_kind_from_name(kind)) return {.kind = *known};
  fail(Status::invalid_argument,
       "mask: '{}' is not one of none, causal_top_left, causal_bottom_right", kind);
}

Problem to_problem(const Shape& shape, core::Dtype dtype, const core::Mask& mask) {
  return core::contiguous_problem(dtype, shape.batch, shape.heads_q, shape.heads_kv, shape.seq_q,
                                  shape.seq_kv, shape.head_dim, mask);
}

std::string flags_of(const Problem& problem) {
  std::string text =
      fmt::format("--shape {} --dtype {}", to_string(problem), core::name(problem.dtype));
  const core::Mask& mask = problem.mask;
  if (mask.kind != MaskKind::none) text += fmt::format(" --mask {}", core::name(mask.kind));
  if (mask.window_left >= 0 || mask.window_right >= 0)
    text += fmt::format(" --window={},{}", mask.window_left, mask.window_right);
  return text;
}

std::vector<Problem> suite_problems(std::string_view names, core::Dtype dtype,
                                    const core::Mask& mask) {
  std::vector<Problem> problems;
  std::string_view rest = names;
  do {
    const auto [suite, tail] = split_at(rest, ',');
    rest = tail;
    if (suite == "mission")
      add_mission(problems, dtype, mask);
    else if (suite == "small")
      add_small(problems, dtype, mask);
    else if (suite == "sweep")
      add_sweep(problems, dtype);
    else
      fail(Status::invalid_argument, "suite: '{}' is not one of mission, small, sweep", suite);
  } while (!rest.empty());
  return problems;
}

}  // namespace flashcore::bench
