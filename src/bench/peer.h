// PyTorch's scaled_dot_product_attention, measured by tools/peers/torch_sdpa.py in a process that
// stays up. Whatever is wrong with it is a reason for "not measured", never an error.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/child.h"
#include "bench/stopwatch.h"
#include "core/problem.h"

namespace flashcore::bench {

struct PeerBackend {
  std::string name;          // "flash", "cudnn", "efficient"; "cpu"
  std::string not_measured;  // why it does not serve the Problem; empty where it does
};

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
  explicit TorchPeer(std::vector<std::string> command, std::chrono::duration<double> limit)
      : command_(std::move(command)), limit_(limit) {}

  /// The backends and which of them are to be measured. Starts the process where it does not run.
  std::vector<PeerBackend> prepare(const PeerTask& task);
  /// One round. Throws ChildFailure with the reason.
  Round measure(const std::string& backend);

  /// "2.11.0+cu130"; empty until the process said so.
  [[nodiscard]] const std::string& version() const { return version_; }

 private:
  nlohmann::json ask(const nlohmann::json& request);
  void start(const PeerTask& task);

  std::vector<std::string> command_;
  std::chrono::duration<double> limit_;
  std::unique_ptr<Child> child_;
  std::string version_;
  std::string absent_;  // why there is no torch: not asked again
};

/// $FLASHCORE_PYTHON or python3, and the script beside this program's build directory, installation
/// or working directory. Throws io where there is no script.
std::vector<std::string> torch_peer_command();

}  // namespace flashcore::bench
