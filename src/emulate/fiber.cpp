#include "emulate/fiber.h"

#include <sys/mman.h>

#include "core/error.h"

// The sanitizers follow every stack, and are told when another one goes on. These are their
// interfaces for that (sanitizer/asan_interface.h, sanitizer/tsan_interface.h).
#ifdef __SANITIZE_ADDRESS__
extern "C" void __asan_unpoison_memory_region(const volatile void* begin, std::size_t bytes);
#endif
#ifdef __SANITIZE_THREAD__
extern "C" void* __tsan_get_current_fiber();
extern "C" void* __tsan_create_fiber(unsigned flags);
extern "C" void __tsan_destroy_fiber(void* fiber);
extern "C" void __tsan_switch_to_fiber(void* fiber, unsigned flags);
#endif

namespace flashcore::emulate {

namespace context = boost::context::detail;

namespace {

constexpr std::size_t page = 4096;
/// Touched pages alone take memory; the lowest page of each is a guard.
constexpr std::size_t bytes_per_stack = 32 * page;
/// Fibers that run the same code touch the same places of their stacks; without an offset these
/// would all fall into the same sets of the cache.
constexpr std::size_t colour_bytes = 320;
constexpr int colours = 12;

#ifdef __SANITIZE_ADDRESS__
/// A fiber that was left for good has marked places of its stack that nobody will mark back.
void forget(unsigned char* stack, std::size_t bytes, void*& /*tsan_fiber*/) {
  __asan_unpoison_memory_region(stack, bytes);
}
void announce(void* /*tsan_fiber*/) {}
#elif defined(__SANITIZE_THREAD__)
void forget(unsigned char* /*stack*/, std::size_t bytes, void*& tsan_fiber) {
  if (tsan_fiber != nullptr) __tsan_destroy_fiber(tsan_fiber);
  tsan_fiber = bytes == 0 ? nullptr : __tsan_create_fiber(0);
}
void announce(void* tsan_fiber) {
  __tsan_switch_to_fiber(tsan_fiber, 0);
}
#else
void forget(unsigned char* /*stack*/, std::size_t /*bytes*/, void*& /*tsan_fiber*/) {}
void announce(void* /*tsan_fiber*/) {}
#endif

}  // namespace

Fibers::Fibers(int count, Body body, void* owner)
    : body_(body),
      owner_(owner),
      bytes_(static_cast<std::size_t>(count) * bytes_per_stack),
      contexts_(static_cast<std::size_t>(count) + 1),
      tsan_fibers_(contexts_.size()) {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    core::fail(core::Status::out_of_memory, "emulator: no {} bytes for the stacks of {} threads",
               bytes_, count);
  memory_ = static_cast<unsigned char*>(memory);
  for (int fiber = 0; fiber < count; ++fiber)
    mprotect(memory_ + static_cast<std::size_t>(fiber) * bytes_per_stack, page, PROT_NONE);
}

Fibers::~Fibers() {
  for (std::size_t fiber = 1; fiber < tsan_fibers_.size(); ++fiber)
    forget(nullptr, 0, tsan_fibers_[fiber]);
  munmap(memory_, bytes_);
}

unsigned char* Fibers::stack_top(int fiber) const {
  return memory_ + static_cast<std::size_t>(fiber + 1) * bytes_per_stack -
         static_cast<std::size_t>(fiber % colours) * colour_bytes;
}

void Fibers::restart(int fiber) {
  unsigned char* top = stack_top(fiber);
  unsigned char* stack = memory_ + static_cast<std::size_t>(fiber) * bytes_per_stack + page;
  forget(stack, static_cast<std::size_t>(top - stack),
         tsan_fibers_[static_cast<std::size_t>(fiber) + 1]);
  contexts_[static_cast<std::size_t>(fiber) + 1] =
      context::make_fcontext(top, bytes_per_stack - page - colours * colour_bytes, enter);
}

const Fibers::Switch& Fibers::arrive(context::transfer_t transfer) {
  const auto& last = *static_cast<const Switch*>(transfer.data);  // on the stack of `from`
  last.fibers->contexts_[static_cast<std::size_t>(last.from + 1)] = transfer.fctx;
  return last;
}

void Fibers::enter(context::transfer_t transfer) {
  const Switch& last = arrive(transfer);
  last.fibers->body_(last.fibers->owner_, last.to);
}

void Fibers::switch_to(int from, int to) {
  Switch next{this, from, to};
#ifdef __SANITIZE_THREAD__
  if (from == outside) tsan_fibers_[0] = __tsan_get_current_fiber();
#endif
  announce(tsan_fibers_[static_cast<std::size_t>(to + 1)]);
  arrive(context::jump_fcontext(contexts_[static_cast<std::size_t>(to + 1)], &next));
}

}  // namespace flashcore::emulate
