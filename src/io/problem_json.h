// A Problem as JSON: in results, journals, tables and tuned records.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/problem.h"

namespace flashcore::io {

/// Without strides: the tensors are contiguous BHSD when it is read.
nlohmann::json problem_to_json(const core::Problem& problem);

/// A message names the place in the JSON, as "cases[0].problem.mask.kind: …".
core::Problem problem_from_json(const nlohmann::json& json, const std::string& path);

}  // namespace flashcore::io
