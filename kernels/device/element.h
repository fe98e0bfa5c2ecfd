// The element types of Q, K, V and O on a GPU. No conversions: those are instructions
// (device/ptx/element.h).
#pragma once

namespace flashcore::device {

enum class Element { float16, bfloat16 };

struct Float16 {
  unsigned short bits;
};

struct BFloat16 {
  unsigned short bits;
};

template <Element E>
struct StorageOf {
  using Type = Float16;
};
template <>
struct StorageOf<Element::bfloat16> {
  using Type = BFloat16;
};

/// The type that holds an Element.
template <Element E>
using Storage = typename StorageOf<E>::Type;

}  // namespace flashcore::device
