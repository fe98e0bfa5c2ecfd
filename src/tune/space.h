// What a search may try: a family's valid Configs for a Problem, as points on axes, one for each
// field that differs among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "family/config.h"
#include "tune/random.h"

namespace flashcore::tune {

/// A point by its place on each axis; not every such point is in the space.
using Genes = std::vector<int>;

class Space {
 public:
  struct Axis {
    std::string field;
    std::vector<std::int64_t> values;  // ascending, two at least
  };

  /// `configs` may hold one twice; `start`, which the family takes by itself, is added where it is
  /// not among them. Throws invalid_argument where their fields differ.
  Space(const std::vector<family::ConfigFields>& configs, const family::ConfigFields& start);

  [[nodiscard]] std::size_t size() const { return configs_.size(); }
  [[nodiscard]] const family::ConfigFields& config(std::size_t index) const {
    return configs_[index];
  }
  [[nodiscard]] std::size_t start() const { return start_; }
  [[nodiscard]] const std::vector<Axis>& axes() const { return axes_; }
  [[nodiscard]] const Genes& genes(std::size_t index) const { return genes_[index]; }
  [[nodiscard]] std::optional<std::size_t> find(const family::ConfigFields& config) const;

  /// How far apart two points are: places along each axis over its length, added up, in units that
  /// make it whole. Where it is more than `most`, something that is more than `most`.
  [[nodiscard]] std::int64_t distance(const Genes& a, const Genes& b, std::int64_t most) const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < a.size() && sum <= most; ++i)
      sum += std::abs(a[i] - b[i]) * step_lengths_[i];
    return sum;
  }

 private:
  void add(const family::ConfigFields& config);
  void find_axes();

  std::vector<family::ConfigFields> configs_;
  std::map<std::string, std::size_t> index_;  // by the Config's text
  std::vector<Axis> axes_;
  std::vector<Genes> genes_;
  std::vector<std::int64_t> step_lengths_;  // of each axis
  std::size_t start_ = 0;
};

/// The Configs whose fields have the values wanted, as "kv_splits=1,stages=2|3". Throws
/// invalid_argument for a field that they have not, or where none is left.
std::vector<family::ConfigFields> matching(const std::vector<family::ConfigFields>& configs,
                                           std::string_view wanted);

/// The Configs that a search has not tried yet: what it draws from, so that none comes twice.
class Untried {
 public:
  explicit Untried(const Space& space);

  [[nodiscard]] bool empty() const { return left_.empty(); }
  [[nodiscard]] bool has(std::size_t index) const { return untried_[index]; }

  /// Those below draw one that is then tried; not to be called when empty().
  std::size_t take(std::size_t index);
  std::size_t take_random(Random& random);
  /// The nearest to a point, which it is itself where it can be; one of those equally near.
  std::size_t take_nearest(const Genes& genes, Random& random);

 private:
  const Space& space_;
  std::vector<bool> untried_;
  std::vector<std::size_t> left_;  // those that are, ascending
};

}  // namespace flashcore::tune
