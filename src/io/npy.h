// NumPy's .npy files, versions 1.0 to 3.0, C order, little-endian.
//
// fp16 is '<f2', fp32 '<f4'. NumPy has no bfloat16: ml_dtypes saves one as two bytes without a
// type,
// '<V2' (and '|V2' once NumPy itself has rewritten it). Those and 'bfloat16' are read as bf16, and
// bf16 is written as '<V2', to be read back with `numpy.load(file).view(ml_dtypes.bfloat16)`.
#pragma once

#include <string>

#include "io/array.h"
#include "io/file.h"

namespace flashcore::io {

/// Throws io or invalid_argument for a file that is not exactly one such array; the message starts
/// with the path.
Array read_npy(const std::string& path);

/// Appends one array, header and data.
void write_npy(OutputFile& file, const ArrayView& array);

}  // namespace flashcore::io
