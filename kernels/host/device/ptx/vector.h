// A few neighbouring elements that move between memory and registers as one access. Left to itself,
// a host compiler may make several of it.
#pragma once

#include "device/tile/vector.h"
#include "host/current.h"

namespace flashcore::device {

template <typename T, int Count>
inline Vector<T, Count> load_vector(const T* source,
                                    std::source_location line = std::source_location::current()) {
  return host::load(reinterpret_cast<const Vector<T, Count>*>(source), host::Site(line));
}

template <typename T, int Count>
inline void store_vector(const Vector<T, Count>& vector, T* target,
                         std::source_location line = std::source_location::current()) {
  host::store(vector, reinterpret_cast<Vector<T, Count>*>(target), host::Site(line));
}

}  // namespace flashcore::device
