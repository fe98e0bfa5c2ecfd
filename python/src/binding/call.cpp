#include "binding/call.h"

#include <tuple>
#include <utility>

#include <flashcore/flashcore.hpp>

#include "binding/errors.h"
#include "binding/forked_process.h"
#include "cuda/driver.h"
#include "cuda/stream.h"

namespace flashcore::python {

namespace nb = nanobind;

namespace {

/// A call as the C interface takes it.
struct Call {
  flashcore_attention attention{};
  flashcore_execution execution{};
};

/// This thread's last forward(), for last_choice() and for the next one's workspace. The pointers
/// in it are not followed.
std::optional<Call>& last_call() {
  thread_local std::optional<Call> call;
  return call;
}

flashcore_dtype dtype_of(const ImportedArray& array) {
  const auto [code, bits, lanes] = array.dtype();
  if (lanes == 1 && code == dlpack::floating && bits == 16) return FLASHCORE_FLOAT16;
  if (lanes == 1 && code == dlpack::bfloat && bits == 16) return FLASHCORE_BFLOAT16;
  if (lanes == 1 && code == dlpack::floating && bits == 32) return FLASHCORE_FLOAT32;
  constexpr const char* kinds[] = {"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
  raise(PyExc_TypeError, "%s: dtype %s%d; float16, bfloat16 and float32 are served", array.name(),
        code < std::size(kinds) ? kinds[code] : "number ", static_cast<int>(bits));
}

void require_dimensions(const ImportedArray& array, int dimensions, const char* shape) {
  if (array.ndim() != dimensions)
    raise(PyExc_ValueError, "%s: has %d dimensions, %d are needed: %s", array.name(), array.ndim(),
          dimensions, shape);
}

bool same_device(const ImportedArray& a, const ImportedArray& b) {
  return a.on_cuda() == b.on_cuda() && a.device_index() == b.device_index();
}

void require_same_device(const ImportedArray& array, const ImportedArray& q) {
  if (same_device(array, q)) return;
  const auto name = [](const ImportedArray& a) { return a.on_cuda() ? "cuda:" : "cpu:"; };
  raise(PyExc_ValueError, "%s: is on %s%d, q is on %s%d", array.name(), name(array),
        array.device_index(), name(q), q.device_index());
}

flashcore_tensor tensor_of(const ImportedArray& array, bool bshd) {
  require_dimensions(array, 4,
                     bshd ? "[batch, seq, heads, head_dim]" : "[batch, heads, seq, head_dim]");
  if (array.stride(3) != 1)
    raise(PyExc_ValueError, "%s: the last dimension has stride %lld; it must be contiguous",
          array.name(), static_cast<long long>(array.stride(3)));
  const int heads = bshd ? 2 : 1;
  const int seq = bshd ? 1 : 2;
  return {.data = array.data(),
          .dtype = dtype_of(array),
          .batch = array.size(0),
          .heads = array.size(heads),
          .seq = array.size(seq),
          .head_dim = array.size(3),
          .stride_batch = array.stride(0),
          .stride_head = array.stride(heads),
          .stride_seq = array.stride(seq)};
}

flashcore_tensor output_of(const ImportedArray& out, const Options& options) {
  if (out.read_only()) raise(PyExc_ValueError, "%s: is read-only", out.name());
  return tensor_of(out, options.bshd);
}

/// An output like q that is not there yet, contiguous in the caller's layout.
flashcore_tensor absent_output(const flashcore_tensor& q, bool bshd) {
  const auto contiguous = bshd ? flashcore::bshd : flashcore::bhsd;
  return contiguous(nullptr, static_cast<Dtype>(q.dtype), q.batch, q.heads, q.seq, q.head_dim);
}

flashcore_lse lse_of(const ImportedArray& lse) {
  require_dimensions(lse, 3, "[batch, heads, seq]");
  return {static_cast<float*>(lse.data()), lse.stride(0), lse.stride(1), lse.stride(2)};
}

flashcore_mask mask_of(const Options& options, const flashcore_tensor& q,
                       const flashcore_tensor& k) {
  if (options.mask_kind != causal_of_either_alignment)
    return {options.mask_kind, 1, options.window_left, options.window_right};
  if (q.seq != k.seq)
    raise(PyExc_ValueError,
          "mask: \"causal\" does not say where the diagonal lies when q: seq %lld differs from k: "
          "seq %lld; say \"causal_top_left\" or \"causal_bottom_right\"",
          static_cast<long long>(q.seq), static_cast<long long>(k.seq));
  return {FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT, 1, options.window_left, options.window_right};
}

/// All but the output.
Call begin_call(const ImportedArray& q, const ImportedArray& k, const ImportedArray& v,
                const Options& options, std::optional<double> scale) {
  for (const ImportedArray* array : {&k, &v}) require_same_device(*array, q);
  if (q.on_cuda()) about_to_use_cuda();
  Call call;
  auto& attention = call.attention;
  attention.struct_size = sizeof attention;
  attention.use_scale = scale ? 1 : 0;
  attention.scale = static_cast<float>(scale.value_or(0.0));
  attention.q = tensor_of(q, options.bshd);
  attention.k = tensor_of(k, options.bshd);
  attention.v = tensor_of(v, options.bshd);
  if (!options.grouped && attention.q.heads != attention.k.heads)
    raise(PyExc_ValueError, "k: heads %lld differs from q: heads %lld, and enable_gqa is not set",
          static_cast<long long>(attention.k.heads), static_cast<long long>(attention.q.heads));
  attention.mask = mask_of(options, attention.q, attention.k);
  call.execution = {.struct_size = sizeof call.execution,
                    .device = q.on_cuda() ? FLASHCORE_DEVICE_CUDA : FLASHCORE_DEVICE_CPU,
                    .device_index = q.device_index(),
                    .stream = nullptr,
                    .workspace = nullptr,
                    .workspace_bytes = 0,
                    .overlap = 0};
  return call;
}

/// The stream that the arrays' library is queuing its work on, where its functions did not tell.
StreamAddress exchanged_stream(nb::handle array, int device_index) {
  const dlpack::ExchangeApi* api = exchange_api(array);
  if (api == nullptr || api->current_stream == nullptr) return 0;
  void* stream = nullptr;
  if (api->current_stream(dlpack::cuda, device_index, &stream) != 0) throw nb::python_error();
  return reinterpret_cast<StreamAddress>(stream);
}

/// Host memory for the workspace, kept by each thread that computes.
void* host_workspace(std::size_t bytes) {
  thread_local std::optional<Workspace> workspace;
  if (!workspace || workspace->span().size() < bytes) workspace.emplace(bytes);
  return workspace->span().data();
}

/// Calls the C interface without the GIL, because a call may compute or compile for long.
template <typename Function>
void without_gil(Function&& function) {
  flashcore_status status = FLASHCORE_OK;
  {
    const nb::gil_scoped_release released;
    status = function();
  }
  if (status != FLASHCORE_OK) raise_status(status, flashcore_last_error());
}

/// Alike but for their addresses, which are aligned as far as any kernel may ask.
bool alike(const flashcore_tensor& a, const flashcore_tensor& b) {
  constexpr std::uintptr_t alignment = 64;
  const auto offset = [](const flashcore_tensor& t) {
    return reinterpret_cast<std::uintptr_t>(t.data) % alignment;
  };
  const auto shape = [](const flashcore_tensor& t) {
    return std::tie(t.dtype, t.batch, t.heads, t.seq, t.head_dim, t.stride_batch, t.stride_head,
                    t.stride_seq);
  };
  return shape(a) == shape(b) && offset(a) == offset(b);
}

bool alike(const flashcore_lse& a, const flashcore_lse& b) {
  return (a.data == nullptr) == (b.data == nullptr) && a.stride_batch == b.stride_batch &&
         a.stride_head == b.stride_head && a.stride_seq == b.stride_seq;
}

bool alike(const flashcore_mask& a, const flashcore_mask& b) {
  return a.kind == b.kind && a.use_window == b.use_window && a.window_left == b.window_left &&
         a.window_right == b.window_right;
}

/// Whether one plan serves both, so that they need the same workspace.
bool alike(const Call& a, const Call& b) {
  return alike(a.attention.q, b.attention.q) && alike(a.attention.k, b.attention.k) &&
         alike(a.attention.v, b.attention.v) && alike(a.attention.o, b.attention.o) &&
         alike(a.attention.lse, b.attention.lse) && alike(a.attention.mask, b.attention.mask) &&
         a.execution.device == b.execution.device &&
         a.execution.device_index == b.execution.device_index;
}

/// What is asked of the library takes as long as a look-up of its plan; it is asked once for calls
/// that are alike in a row.
std::size_t workspace_bytes(const Call& call) {
  if (last_call() && alike(*last_call(), call)) return last_call()->execution.workspace_bytes;
  std::size_t bytes = 0;
  without_gil([&] { return flashcore_workspace_size(&call.attention, &call.execution, &bytes); });
  return bytes;
}

/// Gives the call its workspace. The array it returns must outlive the launch: on a GPU the
/// libraries' allocators reuse memory in the order of the stream, so it need not outlive the work.
nb::object give_workspace(Call& call, const ArrayLibrary& library, nb::handle q,
                          const ImportedArray& q_array) {
  const std::size_t bytes = workspace_bytes(call);
  call.execution.workspace_bytes = bytes;
  if (bytes == 0) return nb::none();
  if (call.execution.device == FLASHCORE_DEVICE_CPU) {
    call.execution.workspace = host_workspace(bytes);
    return nb::none();
  }
  const auto stream = reinterpret_cast<StreamAddress>(call.execution.stream);
  nb::object array = library.quick_workspace(q_array, bytes);
  if (!array.is_valid()) array = library.workspace(q, bytes);
  call.execution.workspace = ImportedArray("workspace", array, stream).data();
  return array;
}

/// An array for the result, like q.
nb::object new_output(const ArrayLibrary& library, nb::handle q, const ImportedArray& q_array,
                      flashcore_dtype dtype) {
  nb::object out = library.quick_like(q, q_array, dtype);
  return out.is_valid() ? out : library.empty_like(q);
}

/// Waits for the device, for libraries that cannot order their own work after ours.
void wait_for_device(int index) {
  const nb::gil_scoped_release released;
  const cuda::DeviceGuard guard(index);
  cuda::synchronize_device();
}

}  // namespace

nb::object forward(const ArrayLibrary& library, const Options& options, nb::handle q, nb::handle k,
                   nb::handle v, std::optional<double> scale, nb::handle out, bool return_lse) {
  const bool wants_grad = library.wants_grad(q, k, v);
  if (library.has_watchers() && (wants_grad || library.watched(q, k, v))) return nb::none();
  if (wants_grad) raise(PyExc_NotImplementedError, "%s", no_backward);
  const std::optional<StreamAddress> stream = library.current_stream(q);
  const ImportedArray q_array("q", q, stream);
  const ImportedArray k_array("k", k, stream);
  const ImportedArray v_array("v", v, stream);
  Call call = begin_call(q_array, k_array, v_array, options, scale);
  auto& attention = call.attention;

  const auto dtype = static_cast<flashcore_dtype>(attention.q.dtype);
  const nb::object result =
      out.is_none() ? new_output(library, q, q_array, dtype) : nb::borrow(out);
  const ImportedArray out_array("out", result, stream);
  require_same_device(out_array, q_array);
  attention.o = output_of(out_array, options);
  nb::object lse = nb::none();
  std::optional<ImportedArray> lse_array;
  if (return_lse) {
    lse = library.lse(q, {attention.q.batch, attention.q.heads, attention.q.seq});
    lse_array.emplace("lse", lse, stream);
    attention.lse = lse_of(*lse_array);
  }

  if (q_array.on_cuda())
    call.execution.stream =
        reinterpret_cast<void*>(stream ? *stream : exchanged_stream(q, q_array.device_index()));
  const nb::object workspace = give_workspace(call, library, q, q_array);
  without_gil([&] { return flashcore_attention_forward(&attention, &call.execution); });
  if (library.waits() && q_array.on_cuda()) wait_for_device(q_array.device_index());
  last_call() = call;
  return return_lse ? nb::make_tuple(result, lse) : result;
}

std::optional<std::string> why_unsupported(const ArrayLibrary& library, const Options& options,
                                           nb::handle q, nb::handle k, nb::handle v,
                                           std::optional<double> scale, nb::handle out) {
  if (library.wants_grad(q, k, v)) return no_backward;
  const ImportedArray q_array("q", q, std::nullopt);
  const ImportedArray k_array("k", k, std::nullopt);
  const ImportedArray v_array("v", v, std::nullopt);
  Call call = begin_call(q_array, k_array, v_array, options, scale);
  if (out.is_none())
    call.attention.o = absent_output(call.attention.q, options.bshd);
  else
    call.attention.o = output_of(ImportedArray("out", out, std::nullopt), options);
  const nb::gil_scoped_release released;  // the first question about a GPU starts its driver
  if (flashcore_supports(&call.attention, &call.execution) == FLASHCORE_OK) return std::nullopt;
  return flashcore_last_error();
}

std::tuple<std::string, std::string, std::string, std::string> last_choice() {
  if (!last_call()) raise(PyExc_RuntimeError, "this thread has not called attention yet");
  flashcore_choice choice{};
  choice.struct_size = sizeof choice;
  without_gil(
      [&] { return flashcore_choose(&last_call()->attention, &last_call()->execution, &choice); });
  return {choice.backend, choice.family, choice.config, choice.reason};
}

}  // namespace flashcore::python
