// The machine that the kernel on this system thread runs on, and how its wrappers reach it: by
// calls, because what they read themselves would be taken for accesses of the kernel.
#pragma once

#include "host/machine.h"

namespace flashcore::host {

// initial-exec: a load, not a call, for every access of the kernel.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local Machine* machine = nullptr;

/// The machine of the kernel's thread that runs here, for as long as it lives: after a call in
/// which it waited, threads of other blocks of its cluster have made theirs the current one.
class Own {
 public:
  [[gnu::no_sanitize("thread")]] Own() : own_(machine) {}
  [[gnu::no_sanitize("thread")]] ~Own() { machine = own_; }
  Own(const Own&) = delete;
  Own& operator=(const Own&) = delete;

 private:
  Machine* own_;
};

/// `call<&Machine::block_barrier>(site)`
template <auto function, typename... Arguments>
[[gnu::no_sanitize("thread"), gnu::noinline]] inline auto call(Arguments... arguments) {
  const Own restored;
  return (machine->*function)(arguments...);
}

/// The same for as long as a kernel's thread lives.
[[gnu::no_sanitize("thread"), gnu::noinline, gnu::const]] inline int thread_index() {
  return machine->thread;
}
[[gnu::no_sanitize("thread"), gnu::noinline, gnu::const]] inline long long block_index() {
  return machine->block;
}
[[gnu::no_sanitize("thread"), gnu::noinline, gnu::const]] inline unsigned char* shared_memory() {
  return machine->shared;
}
[[gnu::no_sanitize("thread"), gnu::noinline, gnu::const]] inline int cluster_rank() {
  return machine->rank;
}
[[gnu::no_sanitize("thread"), gnu::noinline, gnu::const]] inline int cluster_size() {
  return machine->cluster_blocks;
}

/// A plain access that a wrapper makes for the kernel's line.
template <typename T>
[[gnu::no_sanitize("thread"), gnu::noinline]] inline T load(const T* from, Site site) {
  machine->load(from, sizeof(T), true, site);
  return *from;
}
template <typename T>
[[gnu::no_sanitize("thread"), gnu::noinline]] inline void store(T value, T* to, Site site) {
  machine->store(to, sizeof(T), true, site);
  *to = value;
}

}  // namespace flashcore::host
