// How a warp shares out rows that are read and written 16 bytes at a time.
#pragma once

namespace flashcore::device {

/// Elements of fp16 or bf16 in 16 bytes.
inline constexpr int vector_elements = 8;

/// How a warp divides the writing of rows: each row by as many lanes as it has vectors, rounded up
/// to a power of two, so that no row is split between warps.
struct RowLanes {
  int lanes;  // of a row
  int rows;   // that a warp writes at once
};

constexpr RowLanes row_lanes_for(int head_dim) {
  int lanes = 1;
  while (lanes * vector_elements < head_dim) lanes *= 2;
  return {.lanes = lanes, .rows = 32 / lanes};
}

}  // namespace flashcore::device
