// A Config under test, in the form in which the benchmark's workers take one.
#pragma once

#include <string>
#include <string_view>

#include "dispatch/variants.h"
#include "family/config.h"

namespace flashcore::tune {

/// Owns what its variant() refers to.
class PinnedConfig {
 public:
  PinnedConfig(std::string_view name, std::string_view family, const family::ConfigFields& config)
      : name_(name), family_(family), config_(config.to_string()) {}
  PinnedConfig(const PinnedConfig&) = delete;
  PinnedConfig& operator=(const PinnedConfig&) = delete;

  [[nodiscard]] const dispatch::Variant& variant() const { return variant_; }

 private:
  std::string name_, family_, config_;
  dispatch::Variant variant_{.name = name_,
                             .backend = dispatch::Backend::cuda,
                             .family = family_,
                             .config = config_,
                             .summary = ""};
};

}  // namespace flashcore::tune
