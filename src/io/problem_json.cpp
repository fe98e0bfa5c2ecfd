#include "io/problem_json.h"

#include <nlohmann/json.hpp>

#include "io/json_reader.h"

namespace flashcore::io {

using core::Problem;

nlohmann::json problem_to_json(const Problem& p) {
  return {{"dtype", core::name(p.dtype)},
          {"batch", p.batch},
          {"heads_q", p.heads_q},
          {"heads_kv", p.heads_kv},
          {"seq_q", p.seq_q},
          {"seq_kv", p.seq_kv},
          {"head_dim", p.head_dim},
          {"mask",
           {{"kind", core::name(p.mask.kind)},
            {"window_left", p.mask.window_left},
            {"window_right", p.mask.window_right}}},
          {"text", p.to_string()}};
}

Problem problem_from_json(const nlohmann::json& value, const std::string& path) {
  const JsonReader reader{value, path};
  const auto dtype = core::dtype_from_name(reader.at("dtype").string());
  if (!dtype) reader.at("dtype").expected("fp16, bf16 or fp32");
  const JsonReader mask = reader.at("mask");
  const auto kind = core::mask_kind_from_name(mask.at("kind").string());
  if (!kind) mask.at("kind").expected("none, causal_top_left or causal_bottom_right");
  const auto extent = [&](const char* key, std::int64_t least) {
    const JsonReader member = reader.at(key);
    const std::int64_t number = member.integer();
    if (number < least || number > (std::int64_t{1} << 31))
      member.expected("a size of at least " + std::to_string(least) + " and at most 2^31");
    return number;
  };
  const Problem problem = core::contiguous_problem(
      *dtype, extent("batch", 1), extent("heads_q", 1), extent("heads_kv", 1), extent("seq_q", 1),
      extent("seq_kv", 0), extent("head_dim", 1),
      {*kind, mask.at("window_left").integer(), mask.at("window_right").integer()});
  if (problem.heads_q % problem.heads_kv != 0)
    reader.at("heads_q").expected("a multiple of heads_kv");
  return problem;
}

}  // namespace flashcore::io
