#include "api/check.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace flashcore::api {

using core::fail;
using core::Status;

namespace {

constexpr auto invalid = Status::invalid_argument;

/// A tensor and the name by which messages call it.
struct Named {
  const char* name;
  const flashcore_tensor& tensor;
};

void check_struct_size(const char* name, std::uint32_t given, std::size_t expected) {
  if (given != expected)
    fail(invalid, "{}: struct_size is {}, this library's is {}", name, given, expected);
}

core::Dtype check_dtype(const Named& t) {
  if (t.tensor.dtype < FLASHCORE_FLOAT16 || t.tensor.dtype > FLASHCORE_FLOAT32)
    fail(invalid, "{}: dtype {} is not a flashcore_dtype", t.name, t.tensor.dtype);
  return static_cast<core::Dtype>(t.tensor.dtype);
}

void check_same_dtype(const Named& t, const Named& q) {
  const core::Dtype own = check_dtype(t);
  const core::Dtype expected = check_dtype(q);
  if (own != expected)
    fail(invalid, "{}: dtype {} differs from {}: dtype {}", t.name, name(own), q.name,
         name(expected));
}

void check_at_least(const Named& t, const char* dimension, std::int64_t value,
                    std::int64_t smallest) {
  if (value < smallest)
    fail(invalid, "{}: {} is {}, at least {} is needed", t.name, dimension, value, smallest);
}

void check_equal(const Named& t, const char* dimension, std::int64_t value, const Named& other,
                 std::int64_t expected) {
  if (value != expected)
    fail(invalid, "{}: {} {} differs from {}: {} {}", t.name, dimension, value, other.name,
         dimension, expected);
}

/// The bytes from a tensor's first element to the end of its last row must be countable.
void check_span(const char* name, const std::array<std::int64_t, 3>& sizes,
                const std::array<std::int64_t, 3>& strides, std::int64_t row, std::size_t element) {
  std::int64_t span = row;
  bool overflow = false;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::int64_t reach = 0;
    overflow |= __builtin_mul_overflow(std::max<std::int64_t>(sizes[i] - 1, 0), strides[i], &reach);
    overflow |= __builtin_add_overflow(span, reach, &span);
  }
  overflow |= __builtin_mul_overflow(span, static_cast<std::int64_t>(element), &span);
  if (overflow) fail(invalid, "{}: its shape and strides reach beyond a 64-bit address", name);
}

/// Every element of an output must have an address of its own: along each dimension, from the
/// smallest stride up, a step must clear what the smaller ones span.
void check_no_overlap(const char* name, const std::array<std::int64_t, 3>& sizes,
                      const std::array<std::int64_t, 3>& strides, std::int64_t row) {
  constexpr std::array dimensions{"batch", "head", "seq"};
  std::array<std::size_t, 3> order{0, 1, 2};
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return strides[a] < strides[b]; });
  std::int64_t span = row;
  for (const std::size_t i : order) {
    if (sizes[i] <= 1) continue;
    if (strides[i] < span)
      fail(invalid, "{}: stride_{} {} is smaller than the {} elements it must clear: rows overlap",
           name, dimensions[i], strides[i], span);
    span += (sizes[i] - 1) * strides[i];
  }
}

void check_layout(const Named& t) {
  const auto& s = t.tensor;
  for (const auto& [dimension, stride] : {std::pair{"stride_batch", s.stride_batch},
                                          {"stride_head", s.stride_head},
                                          {"stride_seq", s.stride_seq}})
    check_at_least(t, dimension, stride, 0);
  check_span(t.name, {s.batch, s.heads, s.seq}, {s.stride_batch, s.stride_head, s.stride_seq},
             s.head_dim, core::size_of(static_cast<core::Dtype>(s.dtype)));
}

void check_data(const Named& t) {
  const bool empty = t.tensor.seq == 0;
  if (t.tensor.data == nullptr && !empty) fail(invalid, "{}: data is null", t.name);
  const auto element = core::size_of(static_cast<core::Dtype>(t.tensor.dtype));
  if (reinterpret_cast<std::uintptr_t>(t.tensor.data) % element != 0)
    fail(invalid, "{}: data {} is not aligned to its element's {} bytes", t.name, t.tensor.data,
         element);
}

void check_shapes(const Named& q, const Named& k, const Named& v, const Named& o) {
  for (const Named& t : {q, k, v, o}) {
    check_same_dtype(t, q);
    check_at_least(t, "batch", t.tensor.batch, 1);
    check_at_least(t, "heads", t.tensor.heads, 1);
    check_at_least(t, "head_dim", t.tensor.head_dim, 1);
    check_at_least(t, "seq", t.tensor.seq,
                   &t.tensor == &k.tensor || &t.tensor == &v.tensor ? 0 : 1);
    check_equal(t, "batch", t.tensor.batch, q, q.tensor.batch);
    check_equal(t, "head_dim", t.tensor.head_dim, q, q.tensor.head_dim);
    check_layout(t);
  }
  check_equal(v, "heads", v.tensor.heads, k, k.tensor.heads);
  check_equal(v, "seq", v.tensor.seq, k, k.tensor.seq);
  check_equal(o, "heads", o.tensor.heads, q, q.tensor.heads);
  check_equal(o, "seq", o.tensor.seq, q, q.tensor.seq);
  if (q.tensor.heads % k.tensor.heads != 0)
    fail(invalid, "q: heads {} is not a multiple of k: heads {}", q.tensor.heads, k.tensor.heads);
  const auto& t = o.tensor;
  check_no_overlap("o", {t.batch, t.heads, t.seq}, {t.stride_batch, t.stride_head, t.stride_seq},
                   t.head_dim);
  for (const Named& input : {q, k, v})
    if (t.data != nullptr && t.data == input.tensor.data)
      fail(invalid, "o: data {} is {}'s too; the output needs memory of its own", t.data,
           input.name);
}

core::Mask check_mask(const flashcore_mask& mask) {
  if (mask.kind < FLASHCORE_MASK_NONE || mask.kind > FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT)
    fail(invalid, "mask: kind {} is not a flashcore_mask_kind", mask.kind);
  core::Mask checked{.kind = static_cast<core::MaskKind>(mask.kind)};
  if (mask.use_window == 0) return checked;
  for (const auto& [side, value] :
       {std::pair{"window_left", mask.window_left}, {"window_right", mask.window_right}})
    if (value < -1)
      fail(invalid, "mask: {} is {}, neither -1 (unlimited) nor a count", side, value);
  checked.window_left = mask.window_left;
  checked.window_right = mask.window_right;
  return checked;
}

float check_scale(const flashcore_attention& attention) {
  if (attention.use_scale == 0) return core::default_scale(attention.q.head_dim);
  if (!std::isfinite(attention.scale)) fail(invalid, "scale: {} is not finite", attention.scale);
  return attention.scale;
}

core::Strides check_lse(const flashcore_lse& lse, const flashcore_tensor& q) {
  const core::Strides contiguous{q.heads * q.seq, q.seq, 1};
  if (lse.stride_batch == 0 && lse.stride_head == 0 && lse.stride_seq == 0) return contiguous;
  if (lse.data == nullptr) return contiguous;  // not wanted: its strides are not read
  const std::array strides{lse.stride_batch, lse.stride_head, lse.stride_seq};
  if (*std::min_element(strides.begin(), strides.end()) < 0)
    fail(invalid, "lse: strides {}, {}, {} must not be negative", strides[0], strides[1],
         strides[2]);
  check_span("lse", {q.batch, q.heads, q.seq}, strides, 1, sizeof(float));
  check_no_overlap("lse", {q.batch, q.heads, q.seq}, strides, 1);
  return {strides[0], strides[1], strides[2]};
}

core::Strides strides_of(const flashcore_tensor& t) {
  return {t.stride_batch, t.stride_head, t.stride_seq};
}

/// The largest power of two, at most 16, that divides the address of every row.
int row_alignment(const flashcore_attention& a) {
  std::uintptr_t bits = 16;
  for (const flashcore_tensor* t : {&a.q, &a.k, &a.v, &a.o}) {
    const auto element = core::size_of(static_cast<core::Dtype>(t->dtype));
    bits |= reinterpret_cast<std::uintptr_t>(t->data);
    for (const auto& [size, stride] : {std::pair{t->batch, t->stride_batch},
                                       {t->heads, t->stride_head},
                                       {t->seq, t->stride_seq}})
      if (size > 1) bits |= static_cast<std::uintptr_t>(stride) * element;
  }
  return static_cast<int>(bits & (~bits + 1));
}

dispatch::Device check_device(const flashcore_execution& execution) {
  switch (execution.device) {
    case FLASHCORE_DEVICE_CPU: return {.backend = dispatch::Backend::cpu};
    case FLASHCORE_DEVICE_CUDA:
      return {.backend = dispatch::Backend::cuda, .ordinal = execution.device_index};
    default: fail(invalid, "device: {} is not a flashcore_device_kind", execution.device);
  }
}

}  // namespace

CheckedCall check(const flashcore_attention* attention, const flashcore_execution* execution,
                  Data data) {
  if (attention == nullptr) fail(invalid, "attention: is null");
  if (execution == nullptr) fail(invalid, "execution: is null");
  check_struct_size("attention", attention->struct_size, sizeof *attention);
  check_struct_size("execution", execution->struct_size, sizeof *execution);
  const auto& a = *attention;
  const Named q{"q", a.q};
  const Named k{"k", a.k};
  const Named v{"v", a.v};
  const Named o{"o", a.o};
  check_shapes(q, k, v, o);
  if (data == Data::required)
    for (const Named& t : {q, k, v, o}) check_data(t);

  CheckedCall call;
  call.problem = {.dtype = static_cast<core::Dtype>(a.q.dtype),
                  .batch = a.q.batch,
                  .heads_q = a.q.heads,
                  .heads_kv = a.k.heads,
                  .seq_q = a.q.seq,
                  .seq_kv = a.k.seq,
                  .head_dim = a.q.head_dim,
                  .mask = check_mask(a.mask),
                  .q_strides = strides_of(a.q),
                  .k_strides = strides_of(a.k),
                  .v_strides = strides_of(a.v),
                  .o_strides = strides_of(a.o),
                  .lse_strides = check_lse(a.lse, a.q),
                  .alignment = row_alignment(a)};
  call.arguments = {.q = a.q.data,
                    .k = a.k.data,
                    .v = a.v.data,
                    .o = a.o.data,
                    .lse = a.lse.data,
                    .scale = check_scale(a),
                    .workspace = execution->workspace,
                    .workspace_bytes = execution->workspace_bytes,
                    .overlap = execution->overlap != 0};
  call.device = check_device(*execution);
  call.stream = execution->stream;
  return call;
}

}  // namespace flashcore::api
