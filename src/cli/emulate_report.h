// What `flashcore emulate` says of a call: tables for people, JSON for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/problem.h"
#include "dispatch/dispatch.h"
#include "emulate/launch.h"
#include "gate/accuracy.h"

namespace flashcore::cli {

struct Emulation {
  std::string variant;
  core::Problem problem;
  std::uint64_t seed = 0;
  dispatch::Device device;
  dispatch::Choice choice = {};
  emulate::Report report = {};
  std::optional<gate::Accuracy> accuracy = {};  // not asked where the checks found something

  [[nodiscard]] bool good() const;
  /// The first thing that is wrong, in a line; empty where nothing is.
  [[nodiscard]] std::string why_not() const;
};

/// What ran, what was found, and the counts: instructions, bytes, then shared and global accesses
/// by source line.
std::string to_text(const Emulation& emulation);

nlohmann::json to_json(const Emulation& emulation);

}  // namespace flashcore::cli
