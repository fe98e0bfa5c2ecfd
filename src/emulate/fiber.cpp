#include "emulate/fiber.h"

#include <sys/mman.h>

#include "core/error.h"

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

}  // namespace

Fibers::Fibers(int count, Body body, void* owner)
    : body_(body),
      owner_(owner),
      bytes_(static_cast<std::size_t>(count) * bytes_per_stack),
      contexts_(static_cast<std::size_t>(count) + 1) {
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
  munmap(memory_, bytes_);
}

unsigned char* Fibers::stack_top(int fiber) const {
  return memory_ + static_cast<std::size_t>(fiber + 1) * bytes_per_stack -
         static_cast<std::size_t>(fiber % colours) * colour_bytes;
}

void Fibers::restart(int fiber) {
  unsigned char* top = stack_top(fiber);
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
  arrive(context::jump_fcontext(contexts_[static_cast<std::size_t>(to + 1)], &next));
}

}  // namespace flashcore::emulate
