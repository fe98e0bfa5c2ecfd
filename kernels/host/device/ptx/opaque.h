// A host compiler may look through everything: there are no registers to save.
#pragma once

namespace flashcore::device {

inline int opaque(int value) {
  return value;
}

inline unsigned opaque(unsigned value) {
  return value;
}

inline unsigned long long opaque(unsigned long long value) {
  return value;
}

inline int uniform(int value) {
  return value;
}

template <typename T>
inline const T* opaque(const T* pointer) {
  return pointer;
}

}  // namespace flashcore::device
