// Where a tile's 16-byte chunks lie in shared memory, so that eight consecutive rows of one column
// of chunks fall into eight different groups of four banks: what ldmatrix reads and a copy writes at
// a time then takes one pass.
#pragma once

namespace flashcore::device {

/// A tile whose rows are `chunks_per_row` chunks of 16 bytes: a multiple of 4.
template <int ChunksPerRow>
struct Swizzle {
  static_assert(ChunksPerRow % 4 == 0);
  static constexpr int row_bytes = ChunksPerRow * 16;

  /// What a row's chunk numbers are xored with. Rows that fill whole lines of 128 bytes all begin
  /// in bank 0 and take eight patterns; others begin in bank 0 or 16 by turns and take four.
  static constexpr int pattern(int row) { return ChunksPerRow % 8 == 0 ? row % 8 : row / 2 % 4; }

  /// The byte offset of a chunk.
  static constexpr int offset(int row, int chunk) {
    return row * row_bytes + (chunk ^ pattern(row)) * 16;
  }

  /// offset(row, chunk + steps * 2) from offset(row, chunk), for a chunk of 0 or 1: an xor and an
  /// addition of what is known at compile time, where `steps` is.
  static constexpr int advance(int first_offset, int steps) {
    constexpr int period = ChunksPerRow % 8 == 0 ? 4 : 2;  // in steps
    return (first_offset ^ steps % period * 32) + steps / period * (period * 32);
  }
};

}  // namespace flashcore::device
