// Where a tile's 16-byte chunks lie in shared memory, so that eight consecutive rows of one column
// of chunks fall into eight different groups of four banks: what ldmatrix reads and a copy writes
// at a time then takes one pass.
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

  /// The place of (row + rows, chunk) from `first`, that of (row, chunk), where row and rows share
  /// no bit below 8: `rows` is a multiple of 8, or of a power of two above row. An addition to the
  /// pointer where rows is known, which an instruction's immediate takes in.
  template <typename Byte>
  static constexpr Byte* down(Byte* tile, int first, int rows) {
    return tile + (first ^ pattern(rows) * 16) + rows * row_bytes;
  }

  /// Two neighbouring chunks after which the patterns repeat themselves so many pairs later.
  static constexpr int period = ChunksPerRow % 8 == 0 ? 4 : 2;

  /// The place of (row, chunk + 2 * pair) for a pair below `period`, where chunk is 0 or 1. Pairs
  /// from there on are whole periods of bytes further.
  static constexpr int along(int first, int pair) { return first ^ pair * 32; }
};

}  // namespace flashcore::device
