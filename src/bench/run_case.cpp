#include "bench/run_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "bench/contender.h"
#include "core/parallel.h"
#include "cpu/backend.h"

namespace flashcore::bench {

namespace {

/// Several variants and the peers, measured in turns.
class Race {
 public:
  Race(std::span<const dispatch::Variant* const> variants, const core::Problem& problem,
       const CaseOptions& options, TorchPeer* peer)
      : problem_(problem), options_(options), peer_(peer) {
    for (const dispatch::Variant* variant : variants)
      contenders_.push_back(std::make_unique<Contender>(*variant, problem, options));
    if (!contenders_.empty()) on_gpu_ = contenders_.front()->record().on_gpu();
  }

  std::vector<gate::CaseRecord> run() {
    run_gates();
    Rotation most;
    for (const auto& contender : contenders_)
      if (const auto rotation = contender->start_timing();
          rotation && rotation->launches > most.launches)
        most = *rotation;
    if (anyone_left()) {
      prepare_peers(most);
      run_rounds();
    }
    // On the host, and of several processes: nothing is timed any more.
    for_each([](Contender& contender) { contender.check_outputs(); });
    std::vector<gate::CaseRecord> records;
    for (const auto& contender : contenders_) {
      contender->conclude(peers_, peer_ == nullptr ? Ceilings{} : peer_->ceilings());
      records.push_back(contender->record());
    }
    return records;
  }

 private:
  void for_each(const std::function<void(Contender&)>& body) {
    core::parallel_for(contenders_.size(), [&](std::size_t i) { body(*contenders_[i]); });
  }

  [[nodiscard]] bool anyone_left() const {
    return std::any_of(contenders_.begin(), contenders_.end(),
                       [](const auto& contender) { return contender->timing(); });
  }

  [[nodiscard]] PeerTask task(const Rotation& rotation) const {
    return {.problem = problem_,
            .on_gpu = on_gpu_,
            .ordinal = options_.ordinal,
            .threads = cpu::thread_count(),
            .seed = options_.seed,
            .rotation = rotation};
  }

  /// The peers' process starts meanwhile: importing torch takes as long as the gates do.
  void run_gates() {
    std::future<void> started;
    const bool any_runs =
        std::any_of(contenders_.begin(), contenders_.end(),
                    [](const auto& contender) { return bool{contender->timed_here()}; });
    if (peer_ != nullptr && any_runs)
      started = std::async(std::launch::async, [&] { peer_->start_early(task({})); });
    for_each([](Contender& contender) { contender.run_gates(); });
    if (started.valid()) started.get();
  }

  void prepare_peers(const Rotation& rotation) {
    if (peer_ == nullptr) return;
    options_.progress("torch");
    for (PeerBackend& backend : peer_->prepare(task(rotation)))
      peers_.push_back({std::move(backend), peer_->version(), {}});
  }

  void run_rounds() {
    const auto start = std::chrono::steady_clock::now();
    for (int round = 0; round < options_.rounds && anyone_left(); ++round) {
      options_.progress(fmt::format("round {} of {}", round + 1, options_.rounds));
      for (const auto& contender : contenders_) contender->measure_first();
      for (PeerSeries& peer : peers_) measure_peer(peer);
      for (const auto& contender : contenders_) contender->measure_again();
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (enough(round + 1, elapsed.count())) break;
    }
  }

  /// A call that takes long repeats itself well enough in fewer rounds.
  [[nodiscard]] bool enough(int rounds, double elapsed_s) const {
    constexpr double longest_s = 60;
    constexpr double long_gpu_s = 0.6;  // for each contender
    if (rounds >= 3 && elapsed_s > longest_s) return true;
    return on_gpu_ && rounds >= 7 &&
           elapsed_s > long_gpu_s * static_cast<double>(contenders_.size());
  }

  void measure_peer(PeerSeries& peer) {
    if (!peer.backend.not_measured.empty()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // as in Contender
    try {
      peer.series.add(peer_->measure(peer.backend.name));
    } catch (const ChildFailure& failure) {
      peer.backend.not_measured = failure.what();
      peer.series = {};
    }
  }

  const core::Problem& problem_;
  const CaseOptions& options_;
  TorchPeer* peer_;
  bool on_gpu_ = false;
  std::vector<std::unique_ptr<Contender>> contenders_;
  std::vector<PeerSeries> peers_;
};

}  // namespace

dispatch::Device device_of(const dispatch::Variant& variant, const CaseOptions& options) {
  if (!options.emulated) return dispatch::device_of(variant, options.ordinal);
  return {.backend = dispatch::Backend::emulator, .arch = *options.emulated};
}

std::vector<gate::CaseRecord> run_cases(std::span<const dispatch::Variant* const> variants,
                                        const core::Problem& problem, const CaseOptions& options,
                                        TorchPeer* peer) {
  return Race(variants, problem, options, peer).run();
}

gate::CaseRecord run_case(const dispatch::Variant& variant, const core::Problem& problem,
                          const CaseOptions& options, TorchPeer* peer) {
  const dispatch::Variant* one = &variant;
  return run_cases(std::span{&one, 1}, problem, options, peer).front();
}

}  // namespace flashcore::bench
