// A warp's matrix products through nvcuda::wmma (CUDA C++ Programming Guide, "Warp Matrix
// Functions"): 16 x 16 x 16, fp16 or bf16 operands, fp32 accumulators.
//
// Which lane holds which element of a fragment is not specified. What is: two fragments of the same
// type hold the same element at the same place, so arithmetic between accumulators, element by
// element, means what it says.
#pragma once

#include <mma.h>

#include "device/element.h"

namespace flashcore::device {

/// Rows, columns and depth of a product.
inline constexpr int wmma_edge = 16;

/// What nvcuda::wmma calls an element.
template <typename T>
struct WmmaElement;
template <>
struct WmmaElement<Float16> {
  using Type = __half;
};
template <>
struct WmmaElement<BFloat16> {
  using Type = __nv_bfloat16;
};

/// The left operand, 16 x 16 with its rows in memory one after the other.
template <typename T>
using LeftFragment = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16,
                                            typename WmmaElement<T>::Type, nvcuda::wmma::row_major>;
/// The right operand from memory that holds its rows (values: one row per key).
template <typename T>
using RightFragment =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, typename WmmaElement<T>::Type,
                           nvcuda::wmma::row_major>;
/// The right operand from memory that holds its columns (keys: the product is with K transposed).
template <typename T>
using RightFragmentTransposed =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, typename WmmaElement<T>::Type,
                           nvcuda::wmma::col_major>;
using AccumulatorFragment = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;

/// Loads an operand whose lines lie `stride` elements apart, a multiple of 8. The address is a
/// multiple of 32 bytes. The whole warp takes part, here and below.
template <typename Fragment, typename T>
inline void load_fragment(const T* s_tile, int stride, Fragment& fragment) {
  using Element = typename WmmaElement<T>::Type;
  nvcuda::wmma::load_matrix_sync(fragment, reinterpret_cast<const Element*>(s_tile),
                                 static_cast<unsigned>(stride));
}

/// Element (row, column) becomes s_rows[row], for 16 floats at a multiple of 32 bytes: columns that
/// lie 0 elements apart.
inline void load_row_values(const float* s_rows, AccumulatorFragment& fragment) {
  nvcuda::wmma::load_matrix_sync(fragment, s_rows, 0, nvcuda::wmma::mem_col_major);
}

/// Stores 16 x 16 floats whose rows lie `stride` elements apart, a multiple of 4.
inline void store_fragment(const AccumulatorFragment& fragment, float* s_tile, int stride) {
  nvcuda::wmma::store_matrix_sync(s_tile, fragment, static_cast<unsigned>(stride),
                                  nvcuda::wmma::mem_row_major);
}

inline void clear(AccumulatorFragment& fragment) {
  nvcuda::wmma::fill_fragment(fragment, 0.0F);
}

/// fragment = fragment * factors, element by element.
inline void scale(AccumulatorFragment& fragment, const AccumulatorFragment& factors) {
#pragma unroll
  for (int e = 0; e < AccumulatorFragment::num_elements; ++e) fragment.x[e] *= factors.x[e];
}

/// sum = sum + left * right
template <typename Left, typename Right>
inline void multiply_add(const Left& left, const Right& right, AccumulatorFragment& sum) {
  nvcuda::wmma::mma_sync(sum, left, right, sum);
}

}  // namespace flashcore::device
