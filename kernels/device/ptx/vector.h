// A few neighbouring elements that move between memory and registers by one instruction (PTX ISA,
// "ld" and "st" with .v2 and .v4).
#pragma once

#include "device/tile/vector.h"

namespace flashcore::device {

template <typename T, int Count>
inline Vector<T, Count> load_vector(const T* source) {
  return *reinterpret_cast<const Vector<T, Count>*>(source);
}

/// As words: of a struct whose elements were computed one by one the compiler makes one store per
/// element.
template <typename T, int Count>
inline void store_vector(const Vector<T, Count>& vector, T* target) {
  using Words = Vector<unsigned, sizeof(T) * Count / 4>;
  *reinterpret_cast<Words*>(target) = __builtin_bit_cast(Words, vector);
}

}  // namespace flashcore::device
