// Where the gates run a call: a plan on its device, and buffers that notice what they should not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "core/host_tensor.h"
#include "dispatch/dispatch.h"

namespace flashcore::gate {

/// Bytes that a call changed and should not have.
struct Damage {
  std::size_t guard_bytes = 0;    // around the tensors and the workspace
  std::size_t input_bytes = 0;    // of q, k, v
  std::size_t padding_bytes = 0;  // between the rows of o

  Damage& operator+=(const Damage& other);
};

/// One Problem on one device. Calls may come from several threads; they run one at a time.
class Target {
 public:
  using Implementation = std::function<void(const core::Arguments&)>;

  /// With `overlap`, launches may begin before what is ahead of them has ended. Throws what
  /// dispatch::Plan throws.
  Target(const core::Problem& problem, const dispatch::Device& device,
         const dispatch::Pinned& pinned, bool overlap = false);
  /// Something else that computes on the host: the tests hold broken ones to the gates.
  Target(const core::Problem& problem, std::size_t workspace_bytes, Implementation implementation);
  ~Target();

  [[nodiscard]] const core::Problem& problem() const { return problem_; }
  [[nodiscard]] const dispatch::Device& device() const { return device_; }
  [[nodiscard]] const dispatch::Choice& choice() const { return choice_; }
  [[nodiscard]] std::size_t workspace_bytes() const { return workspace_bytes_; }

  /// Runs the call as it is, or queues it on the stream.
  void launch(const core::Arguments& arguments, cuda::StreamHandle stream) const;

  /// Runs the call in buffers of its own: q, k, v, o and lse go in as they are in `call`, o and lse
  /// come back. Guard zones lie directly around every buffer, the workspace is poisoned. The
  /// emulator takes the threads in an order that `schedule` chooses, and what its checks find is
  /// thrown as device_failed.
  Damage run(core::HostCall& call, std::uint64_t schedule = 0) const;
  /// Runs the call several times, with schedules from 0 on; after(i) finds o and lse as they came
  /// back. They go in poisoned, otherwise each time: an element that is not written cannot repeat
  /// itself by chance. For callers who repeat a large call and have run() look for damage
  /// elsewhere.
  void repeat(core::HostCall& call, int runs, const std::function<void(int)>& after) const;
  /// The same as run() on the emulator, with these options; what was found and counted goes to
  /// `report`.
  Damage run_emulated(core::HostCall& call, const emulate::Options& options,
                      emulate::Report& report) const;

  /// Gives back the memory that the runs have kept for the next one.
  void free_buffers() const;

 private:
  struct Buffers;
  using Runner = std::function<void(const core::Arguments&)>;
  [[nodiscard]] Runner runner(std::uint64_t schedule) const;
  Damage run_with(core::HostCall& call, const Runner& runner) const;
  Buffers& buffers_for(const core::HostCall& call) const;

  core::Problem problem_;
  dispatch::Device device_;
  std::unique_ptr<dispatch::Plan> plan_;
  Implementation implementation_;  // where there is no plan
  dispatch::Choice choice_;
  std::size_t workspace_bytes_;
  bool overlap_ = false;
  mutable std::mutex one_at_a_time_;
  mutable std::unique_ptr<Buffers> buffers_;  // of one_at_a_time_
};

}  // namespace flashcore::gate
