// WMMA's 16 x 16 x 16 products. Which lane holds which element is not specified; here it is as in
// mma.m16n8k16 (device/tile/fragment.h), with B and the sums as two tiles side by side, and
// operands are read by ldmatrix: what nvcc makes of nvcuda::wmma from sm_80 on.
#pragma once

#include "device/ptx/ldmatrix.h"
#include "device/ptx/mma.h"
#include "device/ptx/thread.h"
#include "device/tile/fragment.h"

namespace flashcore::device {

inline constexpr int wmma_edge = 16;

template <typename T>
struct LeftFragment {
  unsigned words[4];
};
template <typename T>
struct RightFragment {
  unsigned words[4];  // two of the left tile, two of the right
};
template <typename T>
struct RightFragmentTransposed {
  unsigned words[4];
};

struct AccumulatorFragment {
  static constexpr int num_elements = 8;
  float x[2][4];  // the left tile's and the right tile's
};

inline void require_aligned(const void* address, std::size_t alignment, std::source_location line) {
  host::call<&host::Machine::require_aligned>(address, alignment, host::Site(line));
}

/// What wmma asks of an operand in memory: its address and its stride.
template <typename T>
inline void require_operand(const T* s_tile, int stride, std::source_location line) {
  require_aligned(s_tile, 32, line);
  require_aligned(s_tile + stride, 16, line);
}

template <typename T>
inline void load_operand(const T* s_tile, int stride, MatrixRow place, bool transposed,
                         unsigned (&words)[4], std::source_location line) {
  require_operand(s_tile, stride, line);
  const T* s_row = s_tile + place.row * stride + place.chunk * 8;
  keep_words(host::call<&host::Machine::load_matrices>(
                 host::Instruction::wmma_load, shared_address(s_row), transposed, host::Site(line)),
             words);
}

template <typename T>
inline void load_fragment(const T* s_tile, int stride, LeftFragment<T>& fragment,
                          std::source_location line = std::source_location::current()) {
  load_operand(s_tile, stride, matrix_row(lane_index()), false, fragment.words, line);
}

template <typename T>
inline void load_fragment(const T* s_tile, int stride, RightFragment<T>& fragment,
                          std::source_location line = std::source_location::current()) {
  load_operand(s_tile, stride, matrix_row(lane_index()), true, fragment.words, line);
}

template <typename T>
inline void load_fragment(const T* s_tile, int stride, RightFragmentTransposed<T>& fragment,
                          std::source_location line = std::source_location::current()) {
  load_operand(s_tile, stride, matrix_row_of_columns(lane_index()), false, fragment.words, line);
}

/// Element (row, column) becomes s_rows[row].
inline void load_row_values(const float* s_rows, AccumulatorFragment& fragment,
                            std::source_location line = std::source_location::current()) {
  require_aligned(s_rows, 32, line);
  host::call<&host::Machine::meet>(host::Instruction::wmma_load, host::Site(line));
  for (int half = 0; half < 2; ++half) {
    const float value =
        host::load(s_rows + sum_place(lane_index(), half * 2).row, host::Site(line));
    for (auto& tile : fragment.x) tile[half * 2] = tile[half * 2 + 1] = value;
  }
}

/// Stores 16 x 16 floats whose rows lie `stride` elements apart, a multiple of 4.
inline void store_fragment(const AccumulatorFragment& fragment, float* s_tile, int stride,
                           std::source_location line = std::source_location::current()) {
  struct alignas(8) Pair {
    float values[2];
  };
  require_operand(s_tile, stride, line);
  host::call<&host::Machine::meet>(host::Instruction::wmma_store, host::Site(line));
  for (int tile = 0; tile < 2; ++tile)
    for (int half = 0; half < 2; ++half) {
      const TilePlace place = sum_place(lane_index(), half * 2);
      const float(&row)[4] = fragment.x[tile];
      host::store(Pair{row[half * 2], row[half * 2 + 1]},
                  reinterpret_cast<Pair*>(s_tile + place.row * stride + tile * 8 + place.column),
                  host::Site(line));
    }
}

inline void clear(AccumulatorFragment& fragment) {
  for (auto& tile : fragment.x)
    for (float& value : tile) value = 0.0F;
}

/// fragment = fragment * factors, element by element.
inline void scale(AccumulatorFragment& fragment, const AccumulatorFragment& factors) {
  for (int tile = 0; tile < 2; ++tile)
    for (int e = 0; e < 4; ++e) fragment.x[tile][e] *= factors.x[tile][e];
}

/// sum = sum + left * right
template <typename T, template <typename> typename Right>
inline void multiply_add(const LeftFragment<T>& left, const Right<T>& right,
                         AccumulatorFragment& sum,
                         std::source_location line = std::source_location::current()) {
  for (int tile = 0; tile < 2; ++tile)
    multiply_accumulate(T{}, sum.x[tile], left.words, right.words[tile * 2],
                        right.words[tile * 2 + 1], line);
}

}  // namespace flashcore::device
