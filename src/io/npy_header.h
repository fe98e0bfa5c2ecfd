// The header of a .npy file: a Python dict literal with three keys.
#pragma once

#include <string>
#include <string_view>

#include "io/array.h"

namespace flashcore::io {

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

/// Takes exactly what NumPy writes: the three keys, each once, in any order. Anything else throws
/// invalid_argument; the message starts with `path`.
NpyHeader parse_npy_header(std::string_view path, std::string_view text);

}  // namespace flashcore::io
