// FlashCore's C++ interface: value types and one exception over the C ABI in flashcore.h.
#pragma once

#include <flashcore/flashcore.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace flashcore {

/// What every function of this header throws. `what()` names the argument and both values.
class Error : public std::runtime_error {
 public:
  Error(flashcore_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  [[nodiscard]] flashcore_status status() const noexcept { return status_; }

 private:
  flashcore_status status_;
};

enum class Dtype : int32_t {
  float16 = FLASHCORE_FLOAT16,
  bfloat16 = FLASHCORE_BFLOAT16,
  float32 = FLASHCORE_FLOAT32
};

enum class MaskKind : int32_t {
  none = FLASHCORE_MASK_NONE,
  causal_top_left = FLASHCORE_MASK_CAUSAL_TOP_LEFT,
  causal_bottom_right = FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT
};

enum class Device : int32_t { cpu = FLASHCORE_DEVICE_CPU, cuda = FLASHCORE_DEVICE_CUDA };

using Tensor = flashcore_tensor;

/// A contiguous [batch, heads, seq, head_dim] tensor.
inline Tensor bhsd(void* data, Dtype dtype, int64_t batch, int64_t heads, int64_t seq,
                   int64_t head_dim) {
  return {data,     static_cast<int32_t>(dtype), batch,          heads,   seq,
          head_dim, heads * seq * head_dim,      seq * head_dim, head_dim};
}

/// A contiguous [batch, seq, heads, head_dim] tensor; the arguments keep the order of bhsd.
inline Tensor bshd(void* data, Dtype dtype, int64_t batch, int64_t heads, int64_t seq,
                   int64_t head_dim) {
  return {data,     static_cast<int32_t>(dtype), batch,    heads,           seq,
          head_dim, seq * heads * head_dim,      head_dim, heads * head_dim};
}

/// Which keys a query sees. Windows count inclusively from the diagonal; -1 is unlimited.
struct Mask {
  MaskKind kind = MaskKind::none;
  int64_t window_left = -1;
  int64_t window_right = -1;
};

/// One attention call: shapes as in flashcore_attention. `lse.data` null: not wanted.
struct Attention {
  Tensor q{}, k{}, v{}, o{};
  Mask mask{};
  std::optional<float> scale{};
  flashcore_lse lse{};
};

/// Where a call runs: the CPU unless said otherwise. `overlap` as in flashcore_execution.
struct Execution {
  Device device = Device::cpu;
  int32_t device_index = 0;
  void* stream = nullptr;
  std::span<std::byte> workspace{};
  bool overlap = false;
};

/// What serves a call.
struct Choice {
  std::string backend, family, config, reason;
};

/// Host memory for a call on the CPU, aligned as the library asks. Reuse it between calls.
class Workspace {
 public:
  explicit Workspace(std::size_t bytes) : lines_((bytes + sizeof(Line) - 1) / sizeof(Line)) {}
  [[nodiscard]] std::span<std::byte> span() noexcept {
    return std::as_writable_bytes(std::span{lines_});
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_;
};

namespace detail {

inline void check(flashcore_status status) {
  if (status != FLASHCORE_OK) throw Error(status, flashcore_last_error());
}

inline flashcore_attention to_c(const Attention& a) {
  flashcore_attention c{};
  c.struct_size = sizeof c;
  c.use_scale = a.scale.has_value() ? 1 : 0;
  c.scale = a.scale.value_or(0.0F);
  c.mask = {static_cast<int32_t>(a.mask.kind), 1, a.mask.window_left, a.mask.window_right};
  c.q = a.q;
  c.k = a.k;
  c.v = a.v;
  c.o = a.o;
  c.lse = a.lse;
  return c;
}

inline flashcore_execution to_c(const Execution& e) {
  return {sizeof(flashcore_execution),
          static_cast<int32_t>(e.device),
          e.device_index,
          e.stream,
          e.workspace.data(),
          e.workspace.size(),
          e.overlap ? 1 : 0};
}

}  // namespace detail

/// Computes `attention.o`, and the log-sum-exp where wanted; see flashcore_attention_forward.
inline void attention_forward(const Attention& attention, const Execution& execution = {}) {
  const auto a = detail::to_c(attention);
  const auto e = detail::to_c(execution);
  detail::check(flashcore_attention_forward(&a, &e));
}

/// The bytes of workspace that attention_forward needs for this call.
inline std::size_t workspace_size(const Attention& attention, const Execution& execution = {}) {
  const auto a = detail::to_c(attention);
  const auto e = detail::to_c(execution);
  std::size_t bytes = 0;
  detail::check(flashcore_workspace_size(&a, &e, &bytes));
  return bytes;
}

/// Empty when the call would be served, otherwise the reason why not.
inline std::optional<std::string> why_unsupported(const Attention& attention,
                                                  const Execution& execution = {}) {
  const auto a = detail::to_c(attention);
  const auto e = detail::to_c(execution);
  if (flashcore_supports(&a, &e) == FLASHCORE_OK) return std::nullopt;
  return flashcore_last_error();
}

/// Which backend, family and Config serve this call, and why.
inline Choice choose(const Attention& attention, const Execution& execution = {}) {
  const auto a = detail::to_c(attention);
  const auto e = detail::to_c(execution);
  flashcore_choice choice{};
  choice.struct_size = sizeof choice;
  detail::check(flashcore_choose(&a, &e, &choice));
  return {choice.backend, choice.family, choice.config, choice.reason};
}

/// Adds a pack of compiled kernels to the ones looked up.
inline void load_pack(const std::string& path) {
  detail::check(flashcore_load_pack(path.c_str()));
}

}  // namespace flashcore
