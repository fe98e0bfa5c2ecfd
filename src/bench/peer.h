// PyTorch's scaled_dot_product_attention, measured by tools/peers/torch_sdpa.py in a process that
// stays up. Whatever is wrong with it is a reason for "not measured", never an error.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/child.h"
#include "bench/stopwatch.h"
#include "core/problem.h"

namespace flashcore::bench {

struct PeerBackend {
  std::string name;          // "flash", "cudnn", "efficient"; "cpu"
  std::string not_measured;  // why it does not serve the Problem; empty where it does
};

/// What else the peer's libraries reach on the machine: the roofline as measured. 0 where nothing
/// was.
struct Ceilings {
  double matmul_tflops = 0;
  double copy_gb_per_s = 0;  // both directions together
};

/// Which peers to measure, as users write it: "none", "torch", or backends one by one as
/// "torch:flash,torch:cudnn".
struct PeerChoice {
  bool torch = false;
  std::vector<std::string> backends;  // empty: all that the device has
};
/// Throws invalid_argument naming what is not a peer.
PeerChoice parse_peers(std::string_view text);

/// What every side of a comparison is told, so that all measure the same thing.
struct PeerTask {
  core::Problem problem;
  bool on_gpu = false;
  int ordinal = 0;
  int threads = 1;
  std::uint64_t seed = 1;
  Rotation rotation;
};

class TorchPeer {
 public:
  /// `command` starts the script. Nothing is started yet.
  explicit TorchPeer(std::vector<std::string> command, std::chrono::duration<double> limit,
                     std::vector<std::string> only = {})
      : command_(std::move(command)), limit_(limit), only_(std::move(only)) {}

  /// Starts the process, which takes seconds, where it does not run yet. A failure is kept for
  /// prepare() to report.
  void start_early(const PeerTask& task);

  /// The backends and which of them are to be measured. Starts the process where it does not run.
  std::vector<PeerBackend> prepare(const PeerTask& task);
  /// One round. Throws ChildFailure with the reason.
  Round measure(const std::string& backend);

  /// "2.11.0+cu130"; empty until the process said so.
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const Ceilings& ceilings() const { return ceilings_; }

 private:
  nlohmann::json ask(const nlohmann::json& request);
  void start(const PeerTask& task);
  [[nodiscard]] std::vector<std::string> backend_names(bool on_gpu) const;
  [[nodiscard]] std::vector<PeerBackend> none_of_this_device(bool on_gpu) const;
  [[nodiscard]] std::vector<PeerBackend> none_measured(bool on_gpu, const std::string& why) const;

  std::vector<std::string> command_;
  std::chrono::duration<double> limit_;
  std::vector<std::string> only_;
  Ceilings ceilings_;
  std::unique_ptr<Child> child_;
  std::string version_;
  std::string absent_;  // why there is no torch: not asked again
};

/// $FLASHCORE_PYTHON or python3, and the script beside this program's build directory, installation
/// or working directory. Throws io where there is no script.
std::vector<std::string> torch_peer_command();

}  // namespace flashcore::bench
