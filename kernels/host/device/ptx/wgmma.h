// Hopper's matrix products: a warpgroup multiplies 64 rows, with fp32 sums, while it goes on.
#pragma once

#include "device/ptx/matrix_descriptor.h"
#include "device/ptx/mma.h"

namespace flashcore::device {

inline void wgmma_fence(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::products_fence>(host::Site(line));
}

inline void wgmma_commit(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::products_commit>(host::Site(line));
}

template <int Pending>
inline void wgmma_wait(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::products_wait>(Pending, host::Site(line));
}

/// The machine writes sums in memory, of which the compiler knows.
template <int Count>
inline void hold(float (&)[Count]) {}
template <int Count>
inline void hold(unsigned (&)[Count]) {}

template <int Steps>
inline void refill(unsigned (&r_a)[Steps][4], const unsigned (&r_words)[Steps][4]) {
  for (int i = 0; i < Steps * 4; ++i) r_a[i / 4][i % 4] = r_words[i / 4][i % 4];
}

template <int N, bool TransposedB = false, typename T>
inline void multiply_shared(T type, float (&sums)[N / 2], MatrixDescriptor a, MatrixDescriptor b,
                            bool accumulate,
                            std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::start_product>(
      host::Product{sums, N, element_of(type), TransposedB, accumulate, false, {}, a.bits, b.bits},
      host::Site(line));
}

template <int N, bool TransposedB = false, typename T>
inline void multiply_registers(T type, float (&sums)[N / 2], const unsigned (&a)[4],
                               MatrixDescriptor b, bool accumulate,
                               std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::start_product>(host::Product{sums,
                                                          N,
                                                          element_of(type),
                                                          TransposedB,
                                                          accumulate,
                                                          true,
                                                          {a[0], a[1], a[2], a[3]},
                                                          0,
                                                          b.bits},
                                            host::Site(line));
}

}  // namespace flashcore::device
