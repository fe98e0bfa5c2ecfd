#include "tune/space.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "core/error.h"

namespace flashcore::tune {

using family::ConfigFields;

Space::Space(const std::vector<ConfigFields>& configs, const ConfigFields& start) {
  for (const ConfigFields& config : configs) {
    family::check_field_names(config, start);
    add(config);
  }
  add(start);
  start_ = *find(start);
  find_axes();
}

void Space::add(const ConfigFields& config) {
  if (index_.try_emplace(config.to_string(), configs_.size()).second) configs_.push_back(config);
}

std::optional<std::size_t> Space::find(const ConfigFields& config) const {
  const auto found = index_.find(config.to_string());
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void Space::find_axes() {
  genes_.resize(configs_.size());
  for (const auto& [field, start_value] : configs_[start_].fields()) {
    std::set<std::int64_t> values;
    for (const ConfigFields& config : configs_) values.insert(config.at(field));
    if (values.size() < 2) continue;
    const Axis& axis =
        axes_.emplace_back(Axis{field, std::vector<std::int64_t>(values.begin(), values.end())});
    for (std::size_t i = 0; i < configs_.size(); ++i) {
      const auto place =
          std::lower_bound(axis.values.begin(), axis.values.end(), configs_[i].at(field));
      genes_[i].push_back(static_cast<int>(place - axis.values.begin()));
    }
  }
  std::int64_t length = 1;  // of every axis: a multiple of each one's steps
  for (const Axis& axis : axes_) length = std::lcm(length, std::ssize(axis.values) - 1);
  for (const Axis& axis : axes_) step_lengths_.push_back(length / (std::ssize(axis.values) - 1));
}

std::vector<ConfigFields> matching(const std::vector<ConfigFields>& configs,
                                   std::string_view wanted) {
  std::vector<ConfigFields> left = configs;
  if (wanted.empty()) return left;
  while (!wanted.empty() && !left.empty()) {
    const std::string_view item = wanted.substr(0, wanted.find(','));
    wanted.remove_prefix(std::min(item.size() + 1, wanted.size()));
    const std::string_view field = item.substr(0, item.find('='));
    std::set<std::int64_t> values;
    for (std::string_view rest = item.substr(std::min(field.size() + 1, item.size()));;) {
      const std::string_view value = rest.substr(0, rest.find('|'));
      values.insert(ConfigFields::parse(std::string{field} + '=' + std::string{value}).at(field));
      if (value.size() == rest.size()) break;
      rest.remove_prefix(value.size() + 1);
    }
    std::erase_if(left, [&](const ConfigFields& each) { return !values.contains(each.at(field)); });
  }
  if (left.empty())
    core::fail(core::Status::invalid_argument, "fix: no Config of the space is as wanted");
  return left;
}

Untried::Untried(const Space& space)
    : space_(space), untried_(space.size(), true), left_(space.size()) {
  std::iota(left_.begin(), left_.end(), std::size_t{0});
}

std::size_t Untried::take(std::size_t index) {
  if (!untried_[index])
    core::fail(core::Status::internal, "tune: {} was tried", space_.config(index).to_string());
  untried_[index] = false;
  left_.erase(std::lower_bound(left_.begin(), left_.end(), index));
  return index;
}

std::size_t Untried::take_random(Random& random) {
  return take(left_[random.below(left_.size())]);
}

std::size_t Untried::take_nearest(const Genes& genes, Random& random) {
  std::vector<std::size_t> nearest;
  auto least = std::numeric_limits<std::int64_t>::max();
  for (const std::size_t i : left_) {
    const std::int64_t distance = space_.distance(genes, space_.genes(i), least);
    if (distance < least) nearest.clear();
    if (distance <= least) nearest.push_back(i);
    least = std::min(least, distance);
  }
  return take(nearest[random.below(nearest.size())]);
}

}  // namespace flashcore::tune
