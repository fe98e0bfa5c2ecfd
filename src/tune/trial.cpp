#include "tune/trial.h"

namespace flashcore::tune {

using family::ConfigFields;

JournaledTrial::JournaledTrial(Journal& journal, std::int64_t run, const Subject& subject,
                               const Space& space, Trial trial)
    : journal_(journal),
      run_(run),
      space_(space),
      trial_(std::move(trial)),
      known_(journal.outcomes(run)),
      breakers_(journal.breakers(subject)) {}

const Outcome* JournaledTrial::find_known(const std::string& config, int generation) {
  if (const auto found = known_.find(config); found != known_.end()) return &found->second;
  const auto breaker = breakers_.find(config);
  if (breaker == breakers_.end()) return nullptr;
  journal_.record(run_, config, generation, breaker->second);
  return &breaker->second;
}

std::vector<Outcome> JournaledTrial::evaluate(std::span<const std::size_t> batch, int generation) {
  std::vector<Outcome> outcomes(batch.size());
  std::vector<std::size_t> places;  // in the batch, of those to be tried
  std::vector<ConfigFields> configs;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const ConfigFields& config = space_.config(batch[i]);
    if (const Outcome* known = find_known(config.to_string(), generation)) {
      outcomes[i] = *known;
      ++repeated_;
      continue;
    }
    places.push_back(i);
    configs.push_back(config);
  }
  if (configs.empty()) return outcomes;
  const auto text_of = [&](std::size_t i) { return configs[i].to_string(); };
  const std::vector<Outcome> tried = trial_(
      configs, {.launching = [&](std::size_t i) { journal_.launch(run_, text_of(i), generation); },
                .done =
                    [&](std::size_t i, const Outcome& outcome) {
                      journal_.record(run_, text_of(i), generation, outcome);
                    }});
  for (std::size_t i = 0; i < places.size(); ++i) outcomes[places[i]] = tried.at(i);
  return outcomes;
}

}  // namespace flashcore::tune
