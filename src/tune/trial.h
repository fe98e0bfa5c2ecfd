// From a batch of Configs to their outcomes, with everyone told who has to know.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tune/journal.h"
#include "tune/outcome.h"
#include "tune/space.h"

namespace flashcore::tune {

/// Told of each candidate of a batch, by its place in it; called by several threads at once.
struct TrialHooks {
  std::function<void(std::size_t)> launching = [](std::size_t) {};  // before it runs on a device
  std::function<void(std::size_t, const Outcome&)> done = [](std::size_t, const Outcome&) {};
};

/// Tries a batch: an outcome for each, every one of which was handed to hooks.done.
using Trial = std::function<std::vector<Outcome>(std::span<const family::ConfigFields>,
                                                 const TrialHooks& hooks)>;

/// A trial whose every step is in a journal, and that repeats nothing the journal knows: a result
/// of this run, or that a Config took a worker down in any run of the subject.
class JournaledTrial {
 public:
  /// `run` was begun or resumed.
  JournaledTrial(Journal& journal, std::int64_t run, const Subject& subject, const Space& space,
                 Trial trial);

  /// As search() asks.
  std::vector<Outcome> evaluate(std::span<const std::size_t> batch, int generation);

  /// How many outcomes came from the journal so far.
  [[nodiscard]] std::size_t repeated() const { return repeated_; }

 private:
  /// Null where it has to be tried.
  const Outcome* find_known(const std::string& config, int generation);

  Journal& journal_;
  std::int64_t run_;
  const Space& space_;
  Trial trial_;
  std::map<std::string, Outcome> known_, breakers_;
  std::size_t repeated_ = 0;
};

}  // namespace flashcore::tune
