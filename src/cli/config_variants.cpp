#include "cli/config_variants.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "family/family.h"

namespace flashcore::cli {

using core::fail;
using core::Status;
using family::ConfigFields;

namespace {

/// The fields in the order in which the family declares them. Throws for one that it has not, which
/// needs no GPU: a family's Configs all have the same.
ConfigFields in_order(std::string_view family_name, const ConfigFields& fields) {
  const family::Family* family = family::find_family(family_name);
  const auto any = core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 64, 64, 64);
  const ConfigFields all = family::overlaid(
      family->default_config(any, core::limits_of(family->archs().back())), fields);
  ConfigFields ordered;
  for (const auto& [field, value] : all.fields()) {
    const auto& given = fields.fields();
    if (std::any_of(given.begin(), given.end(), [&](const auto& g) { return g.first == field; }))
      ordered.add(field, value);
  }
  return ordered;
}

}  // namespace

ConfigVariants::ConfigVariants(const dispatch::Variant& variant,
                               std::span<const std::string> configs) {
  if (variant.backend != dispatch::Backend::cuda)
    fail(Status::invalid_argument, "config: variant {} runs on the CPU and has none", variant.name);
  all_.push_back(&variant);
  for (const std::string& config : configs) add(variant, config);
}

void ConfigVariants::require_valid(const core::Problem& problem, const core::GpuLimits& gpu) const {
  for (const dispatch::Variant* variant : all_) {
    const family::Family* family = family::find_family(variant->family);
    if (!family->supports(problem, gpu)) return;  // its gates say why
    const ConfigFields config = family::overlaid(family->default_config(problem, gpu),
                                                 ConfigFields::parse(variant->config));
    if (const core::Support valid = family->valid(config, gpu); !valid)
      fail(Status::invalid_argument, "config: {} at {}: {}", variant->name, problem.to_string(),
           valid.reason());
  }
}

void ConfigVariants::add(const dispatch::Variant& variant, const std::string& config) {
  const ConfigFields fields = ConfigFields::parse(config);
  if (fields.fields().empty()) fail(Status::invalid_argument, "config: '{}' has no fields", config);
  const ConfigFields all =
      in_order(variant.family, family::merged(ConfigFields::parse(variant.config), fields));
  const dispatch::Variant& made =
      made_.emplace_back(fmt::format("{} {}", variant.name, config), variant.family, all).variant();
  const auto same = [&](const dispatch::Variant* other) {
    return in_order(variant.family, ConfigFields::parse(other->config)).to_string() == made.config;
  };
  if (std::any_of(all_.begin(), all_.end(), same))
    fail(Status::invalid_argument, "config: '{}' says the same as another, or as {} itself", config,
         variant.name);
  all_.push_back(&made);
}

}  // namespace flashcore::cli
