// What -fsanitize=thread makes the compiler call before every plain load and store, in the module
// itself and hidden: nothing of a sanitizer's runtime is linked. A module includes this once.
#pragma once

#include <cstddef>

#include "host/current.h"

namespace flashcore::host {

[[gnu::no_sanitize("thread"), gnu::always_inline]] inline void plain_load(
    const void* from, std::size_t bytes, bool aligned, const void* return_address) {
  if (!machine->on_stack(from))
    machine->load(from, bytes, aligned, Site(return_address));
  else if (machine->products_in_flight != 0)
    machine->stack_access(from, bytes, false, Site(return_address));
}

[[gnu::no_sanitize("thread"), gnu::always_inline]] inline void plain_store(
    void* to, std::size_t bytes, bool aligned, const void* return_address) {
  if (!machine->on_stack(to))
    machine->store(to, bytes, aligned, Site(return_address));
  else if (machine->products_in_flight != 0)
    machine->stack_access(to, bytes, true, Site(return_address));
}

}  // namespace flashcore::host

extern "C" {

[[gnu::no_sanitize("thread")]] void __tsan_read1(void* p) {
  flashcore::host::plain_load(p, 1, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_read2(void* p) {
  flashcore::host::plain_load(p, 2, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_read4(void* p) {
  flashcore::host::plain_load(p, 4, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_read8(void* p) {
  flashcore::host::plain_load(p, 8, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_read16(void* p) {
  flashcore::host::plain_load(p, 16, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_read2(void* p) {
  flashcore::host::plain_load(p, 2, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_read4(void* p) {
  flashcore::host::plain_load(p, 4, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_read8(void* p) {
  flashcore::host::plain_load(p, 8, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_read16(void* p) {
  flashcore::host::plain_load(p, 16, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_read_range(void* p, std::size_t bytes) {
  flashcore::host::plain_load(p, bytes, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_write1(void* p) {
  flashcore::host::plain_store(p, 1, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_write2(void* p) {
  flashcore::host::plain_store(p, 2, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_write4(void* p) {
  flashcore::host::plain_store(p, 4, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_write8(void* p) {
  flashcore::host::plain_store(p, 8, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_write16(void* p) {
  flashcore::host::plain_store(p, 16, true, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_write2(void* p) {
  flashcore::host::plain_store(p, 2, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_write4(void* p) {
  flashcore::host::plain_store(p, 4, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_write8(void* p) {
  flashcore::host::plain_store(p, 8, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_unaligned_write16(void* p) {
  flashcore::host::plain_store(p, 16, false, __builtin_return_address(0));
}
[[gnu::no_sanitize("thread")]] void __tsan_write_range(void* p, std::size_t bytes) {
  flashcore::host::plain_store(p, bytes, false, __builtin_return_address(0));
}

// Larger copies that the compiler leaves to the C library.
[[gnu::no_sanitize("thread"), gnu::visibility("hidden")]] void* memcpy(void* to, const void* from,
                                                                       std::size_t bytes) {
  flashcore::host::machine->copy_bytes(to, from, bytes,
                                       flashcore::host::Site(__builtin_return_address(0)));
  return to;
}
[[gnu::no_sanitize("thread"), gnu::visibility("hidden")]] void* memmove(void* to, const void* from,
                                                                        std::size_t bytes) {
  flashcore::host::machine->copy_bytes(to, from, bytes,
                                       flashcore::host::Site(__builtin_return_address(0)));
  return to;
}
[[gnu::no_sanitize("thread"), gnu::visibility("hidden")]] void* memset(void* to, int value,
                                                                       std::size_t bytes) {
  flashcore::host::machine->fill_bytes(to, value, bytes,
                                       flashcore::host::Site(__builtin_return_address(0)));
  return to;
}

// What the compiler also calls, and nothing is made of.
[[gnu::no_sanitize("thread")]] void __tsan_init() {}
[[gnu::no_sanitize("thread")]] void __tsan_func_entry(void*) {}
[[gnu::no_sanitize("thread")]] void __tsan_func_exit() {}
[[gnu::no_sanitize("thread")]] void __tsan_vptr_update(void**, void*) {}
[[gnu::no_sanitize("thread")]] void __tsan_vptr_read(void**) {}

}  // extern "C"
