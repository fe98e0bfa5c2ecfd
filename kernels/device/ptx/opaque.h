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

template <typename T>
inline const T* opaque(const T* pointer) {
  asm volatile("" : "+l"(pointer));
  return pointer;
}

}  // namespace flashcore::device
