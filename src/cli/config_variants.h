// A variant beside itself with other Configs: what `bench --config` compares.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "dispatch/variants.h"
#include "tune/pinned_config.h"

namespace flashcore::cli {

/// The variant, then for each text of fields ("block_kv=64,stages=3") one that has those in the
/// place of its own, named after both. Throws invalid_argument for a variant without a Config, and
/// for a text that names no fields, or some that the family has not, or is given twice.
class ConfigVariants {
 public:
  ConfigVariants(const dispatch::Variant& variant, std::span<const std::string> configs);
  ConfigVariants(const ConfigVariants&) = delete;
  ConfigVariants& operator=(const ConfigVariants&) = delete;

  [[nodiscard]] std::span<const dispatch::Variant* const> all() const { return all_; }

  /// Throws invalid_argument, saying why, for a Config with which the family does not compute a
  /// Problem that it supports.
  void require_valid(const core::Problem& problem, const core::GpuLimits& gpu) const;

 private:
  void add(const dispatch::Variant& variant, const std::string& config);

  std::deque<tune::PinnedConfig> made_;
  std::vector<const dispatch::Variant*> all_;
};

}  // namespace flashcore::cli
