#include "binding/forked_process.h"

#include <pthread.h>

#include <atomic>

#include "binding/errors.h"

namespace flashcore::python {
namespace {

std::atomic<bool> cuda_used = false;
std::atomic<bool> forked = false;
std::atomic<bool> forked_with_cuda = false;

void on_fork_in_child() {
  forked = true;
  forked_with_cuda = cuda_used.load();
}

}  // namespace

void watch_forks() {
  pthread_atfork(nullptr, nullptr, on_fork_in_child);
}

bool forked_after_import() {
  return forked;
}

void about_to_use_cuda() {
  if (forked_with_cuda)
    raise(PyExc_RuntimeError, "device: CUDA cannot be used here%s", forked_hint);
  if (!cuda_used.load(std::memory_order_relaxed)) cuda_used = true;
}

}  // namespace flashcore::python
