// Four 8 x 8 matrices of 16-bit elements from shared memory into a warp's registers.
#pragma once

#include "device/ptx/shared_address.h"

namespace flashcore::device {

inline void keep_words(const host::Words& words, unsigned (&r_words)[4]) {
  for (int i = 0; i < 4; ++i) r_words[i] = words.values[i];
}

inline void load_matrices(unsigned (&r_matrices)[4], SharedAddress s_row,
                          std::source_location line = std::source_location::current()) {
  keep_words(host::call<&host::Machine::load_matrices>(host::Instruction::ldmatrix, s_row, false,
                                                       host::Site(line)),
             r_matrices);
}

inline void load_matrices_transposed(unsigned (&r_matrices)[4], SharedAddress s_row,
                                     std::source_location line = std::source_location::current()) {
  keep_words(host::call<&host::Machine::load_matrices>(host::Instruction::ldmatrix, s_row, true,
                                                       host::Site(line)),
             r_matrices);
}

}  // namespace flashcore::device
