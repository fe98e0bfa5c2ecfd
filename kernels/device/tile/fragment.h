// Which element of a tile a lane's registers hold in mma.m16n8k16, and which row of shared memory a
// lane names to ldmatrix so that they come to lie there (PTX ISA 9.7.14, the figures for
// mma.m16n8k16 and ldmatrix).
#pragma once

namespace flashcore::device {

struct TilePlace {
  int row;
  int column;
};

inline constexpr int lanes_per_row = 4;  // of A and of the sums: a row lies in four lanes

/// Element `half` (0 or 1) of register `index` (0 to 3) of A, 16 rows by 16 columns.
constexpr TilePlace a_place(int lane, int index, int half) {
  return {lane / 4 + index % 2 * 8, lane % 4 * 2 + index / 2 * 8 + half};
}

/// Element `half` of register `index` (0 or 1) of B, 16 rows by 8 columns.
constexpr TilePlace b_place(int lane, int index, int half) {
  return {lane % 4 * 2 + index * 8 + half, lane / 4};
}

/// Sum `index` (0 to 3) of the result, 16 rows by 8 columns.
constexpr TilePlace sum_place(int lane, int index) {
  return {lane / 4 + index / 2 * 8, lane % 4 * 2 + index % 2};
}

/// The row, and the chunk of 8 elements, that a lane names to ldmatrix.
struct MatrixRow {
  int row;
  int chunk;
};

/// For a 16 x 16 tile stored row by row: the registers are those of A. Transposed, they are those
/// of two B tiles side by side: registers 0 and 1 of columns 0 to 7, registers 2 and 3 of 8 to 15.
constexpr MatrixRow matrix_row(int lane) {
  return {lane % 16, lane / 16};
}

/// For a 16 x 16 tile whose rows are the columns of two B tiles: the registers are 0 and 1 of its
/// rows 0 to 7, then of its rows 8 to 15.
constexpr MatrixRow matrix_row_of_columns(int lane) {
  return {lane % 8 + lane / 16 * 8, lane / 8 % 2};
}

}  // namespace flashcore::device
