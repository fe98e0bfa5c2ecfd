// Four 8 x 8 matrices of 16-bit elements from shared memory into a warp's registers.
//
// PTX ISA 9.7.14, "ldmatrix". Lane l names the 16-byte row l % 8 of matrix l / 8; register i then
// holds elements 2 * (l % 4) and 2 * (l % 4) + 1 of row l / 4 of matrix i, or of its column when
// transposed.
#pragma once

#include "device/ptx/shared_address.h"

namespace flashcore::device {

/// The whole warp takes part. `s_row` is aligned to 16 bytes.
inline void load_matrices(unsigned (&r_matrices)[4], SharedAddress s_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r_matrices[0]), "=r"(r_matrices[1]), "=r"(r_matrices[2]), "=r"(r_matrices[3])
               : "r"(s_row)
               : "memory");
}

inline void load_matrices_transposed(unsigned (&r_matrices)[4], SharedAddress s_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r_matrices[0]), "=r"(r_matrices[1]), "=r"(r_matrices[2]), "=r"(r_matrices[3])
               : "r"(s_row)
               : "memory");
}

}  // namespace flashcore::device
