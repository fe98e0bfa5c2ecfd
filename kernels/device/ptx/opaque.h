// Values that the compiler must not look through.
#pragma once

namespace flashcore::device {

/// The value itself. What is computed from it inside a loop is not computed ahead of the loop,
/// where it would take registers throughout.
inline int opaque(int value) {
  asm volatile("" : "+r"(value));
  return value;
}

inline unsigned opaque(unsigned value) {
  asm volatile("" : "+r"(value));
  return value;
}

inline unsigned long long opaque(unsigned long long value) {
  asm volatile("" : "+l"(value));
  return value;
}

/// A value that is the same in every lane, in a way that tells the compiler so: it can then keep it
/// in a register of the warp. The whole warp takes part.
inline int uniform(int value) {
  return __shfl_sync(0xFFFFFFFFU, value, 0);
}

template <typename T>
inline const T* opaque(const T* pointer) {
  asm volatile("" : "+l"(pointer));
  return pointer;
}

}  // namespace flashcore::device
