// Attention on tensors that a user brought: arrays of rank 2 to 4 become one call of the public
// API, on the device asked for.
#pragma once

#include <flashcore/flashcore.hpp>

#include <optional>
#include <string>

#include "core/host_tensor.h"
#include "io/array.h"

namespace flashcore::cli {

enum class Layout { bhsd, bshd };
enum class DeviceWish { automatic, cpu, gpu, emulator };

struct Inputs {
  io::Array q, k, v;
};

/// The user's tensors with room for the outputs, and how the API is told of them.
struct AttentionCall {
  core::HostCall host;
  Attention attention;     // its tensors point into `host`
  io::Shape output_shape;  // q's, whatever its rank and layout
  io::Shape lse_shape;     // [batch, heads, seq_q], less what q's rank leaves out
};

/// Arrays are [batch, heads, seq, head_dim] or [batch, seq, heads, head_dim]; of rank 3, without
/// the batch; of rank 2, [seq, head_dim]. Throws what the API says of tensors that do not fit
/// together.
AttentionCall make_call(Inputs inputs, Layout layout, const Mask& mask, std::optional<float> scale);

/// What served a call, why there, and how long it took.
struct Served {
  Choice choice;
  std::string device;  // "CPU", or the GPU's name
  std::string why_there;
  double first_call_us = 0;                   // on a GPU with compiling and loading, without copies
  std::optional<double> repeat_call_us = {};  // on a GPU
};

/// Runs the call; afterwards host.o and host.lse hold the result. `automatic` takes the first GPU
/// if it serves the call, otherwise the CPU.
Served serve(AttentionCall& call, DeviceWish wish);

}  // namespace flashcore::cli
