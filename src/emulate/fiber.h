// Fibers: the threads of an emulated block, of which one runs at a time on a system thread.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <vector>

namespace flashcore::emulate {

/// A fixed number of fibers and their stacks. A fiber may be left for good at any point: nothing on
/// its stack is destroyed (hence Boost's contexts and not boost::context::fiber, which unwinds).
class Fibers {
 public:
  /// What a fiber runs; it switches away for good instead of returning.
  using Body = void (*)(void* owner, int fiber);

  /// Throws out_of_memory.
  Fibers(int count, Body body, void* owner);
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  /// The caller's own context, which is no fiber.
  static constexpr int outside = -1;

  /// Makes the fiber start at the beginning of the body when it is next switched to.
  void restart(int fiber);
  /// Continues `to`; returns when something switches to `from`, which is what runs now.
  void switch_to(int from, int to);

  [[nodiscard]] const unsigned char* stacks() const { return memory_; }
  [[nodiscard]] std::size_t stack_bytes() const { return bytes_; }

 private:
  struct Switch {
    Fibers* fibers;
    int from;
    int to;
  };
  static void enter(boost::context::detail::transfer_t transfer);
  static const Switch& arrive(boost::context::detail::transfer_t transfer);
  [[nodiscard]] unsigned char* stack_top(int fiber) const;

  Body body_;
  void* owner_;
  unsigned char* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<boost::context::detail::fcontext_t> contexts_;  // outside's, then the fibers'
  std::vector<void*> tsan_fibers_;  // what ThreadSanitizer knows them by, where it looks on
};

}  // namespace flashcore::emulate
