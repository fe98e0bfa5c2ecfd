#include "emulate/call.h"

#include <fmt/format.h>

#include "core/host_tensor.h"
#include "emulate/module_store.h"
#include "emulate/tensor_map.h"

namespace flashcore::emulate {

namespace {

/// Called as the driver is: the handle is the module, the stream a Run.
void launch_on_emulator(void* module, const cuda::LaunchShape& shape, cuda::StreamHandle stream,
                        const void* params, std::size_t /*params_bytes*/) {
  Run& run = *static_cast<Run*>(stream);
  if (!run.report.findings.empty()) return;
  Report report = launch(*static_cast<const host::Module*>(module), shape, params, run.options);
  run.report.findings = std::move(report.findings);
  run.report.more_findings += report.more_findings;
  run.report.counts += report.counts;
}

}  // namespace

std::vector<cuda::Kernel> load_kernels(std::span<const jit::KernelSpec> specs) {
  std::vector<ModuleSpec> modules;
  for (const jit::KernelSpec& spec : specs) modules.push_back({.kernel = spec});
  std::vector<cuda::Kernel> kernels;
  for (const host::Module* module : prepare_modules(modules))
    kernels.emplace_back(const_cast<host::Module*>(module), launch_on_emulator,
                         encode_for_emulator);
  return kernels;
}

std::vector<Buffer> buffers_of(const core::Problem& p, const core::Arguments& arguments) {
  std::vector<Buffer> buffers;
  const auto add = [&](const char* name, const void* base, std::size_t bytes, bool written) {
    if (base != nullptr && bytes > 0) buffers.push_back({base, bytes, name, written});
  };
  const auto bytes = [&](const core::Strides& strides, std::int64_t heads, std::int64_t seq,
                         std::int64_t columns, std::size_t size) {
    const auto elements = core::span_elements(strides, p.batch, heads, seq, columns);
    return static_cast<std::size_t>(elements) * size;
  };
  const std::size_t size = core::size_of(p.dtype);
  add("q", arguments.q, bytes(p.q_strides, p.heads_q, p.seq_q, p.head_dim, size), false);
  add("k", arguments.k, bytes(p.k_strides, p.heads_kv, p.seq_kv, p.head_dim, size), false);
  add("v", arguments.v, bytes(p.v_strides, p.heads_kv, p.seq_kv, p.head_dim, size), false);
  add("o", arguments.o, bytes(p.o_strides, p.heads_q, p.seq_q, p.head_dim, size), true);
  add("lse", arguments.lse, bytes(p.lse_strides, p.heads_q, p.seq_q, 1, sizeof(float)), true);
  add("workspace", arguments.workspace, arguments.workspace_bytes, true);
  return buffers;
}

std::string describe(const Report& report) {
  std::string text;
  for (const Finding& finding : report.findings)
    text += fmt::format("{}{}", text.empty() ? "" : "\n", finding.to_string());
  if (report.more_findings > 0) text += fmt::format("\nand {} more", report.more_findings);
  return text;
}

}  // namespace flashcore::emulate
