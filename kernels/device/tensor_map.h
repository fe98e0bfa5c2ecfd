// The description of a tensor that the GPU's copy engine reads: where it lies, its sizes and
// strides and the box of it that one copy moves. A kernel has it in its Params, `const
// __grid_constant__`.
#pragma once

namespace flashcore::device {

/// The driver's CUtensorMap. cuda::encode_tensor_map writes it, and nothing looks inside.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

}  // namespace flashcore::device
