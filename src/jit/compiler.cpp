#include "jit/compiler.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "jit/hasher.h"
#include "jit/header_search.h"
#include "jit/include_closure.h"
#include "jit/nvrtc.h"
#include "jit/ptxas_log.h"

namespace flashcore::jit {

using core::fail;
using core::Status;

namespace {

/// Functions without an annotation are device functions, so that headers are shared with the host
/// as they are. ptxas reports what it spent.
std::vector<std::string> compile_options(core::Arch arch) {
  return {"--gpu-architecture=" + arch.to_string(), "--std=c++20", "-default-device",
          "--ptxas-options=-v"};
}

/// From this version on NVRTC has a cache of its own, whose hits come without ptxas's report.
constexpr std::pair first_caching_compiler{12, 9};

std::string program_text(const KernelSpec& spec) {
  return fmt::format("#include \"{}\"\n", spec.entry);
}

/// What lies beside the compiler, for a kernel that includes headers of the installation.
HeaderFolders header_folders(const IncludeClosure& closure) {
  if (closure.external.empty()) return {};
  return find_header_folders(compiler_file());
}

/// One NVRTC program, from source to cubin.
class Program {
 public:
  Program(const NvrtcApi& api, const KernelSpec& spec, core::Arch arch, IncludeClosure closure)
      : api_(api), spec_(spec), arch_(arch), closure_(std::move(closure)) {
    std::vector<std::string> copies;  // the embedded text is not known to end in a zero
    for (const auto& source : closure_.sources) {
      copies.emplace_back(source.path);
      copies.emplace_back(source.text);
    }
    std::vector<const char*> names, texts;
    for (std::size_t i = 0; i < copies.size(); i += 2) {
      names.push_back(copies[i].c_str());
      texts.push_back(copies[i + 1].c_str());
    }
    check("nvrtcCreateProgram",
          api_.nvrtcCreateProgram(&program_, program_text(spec).c_str(), "kernel.cu",
                                  static_cast<int>(names.size()), texts.data(), names.data()));
  }
  ~Program() { api_.nvrtcDestroyProgram(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  Binary build() {
    check("nvrtcAddNameExpression",
          api_.nvrtcAddNameExpression(program_, spec_.name_expression.c_str()));
    std::vector<std::string> options = compile_options(arch_);
    if (compiler_version() >= first_caching_compiler) options.emplace_back("--no-cache");
    for (const auto& folder : headers_.folders)
      options.push_back("--include-path=" + folder.string());
    std::vector<const char*> pointers;
    for (const std::string& option : options) pointers.push_back(option.c_str());
    check("nvrtcCompileProgram",
          api_.nvrtcCompileProgram(program_, static_cast<int>(pointers.size()), pointers.data()),
          missing_header(headers_, closure_.external));
    Binary binary;
    binary.symbol = lowered_name();
    binary.cubin = cubin();
    binary.report = parse_ptxas_log(log(), binary.symbol);
    return binary;
  }

 private:
  void check(const char* call, NvrtcResult result, const std::string& likely_cause = {}) const {
    if (result == nvrtc_success) return;
    fail(Status::compile_failed, "{} for {}: {}: {}\n{}{}", spec_.name_expression,
         arch_.to_string(), call, api_.nvrtcGetErrorString(result),
         likely_cause.empty() ? "" : likely_cause + '\n', program_ == nullptr ? "" : log());
  }

  [[nodiscard]] std::string log() const {
    std::size_t size = 0;  // with the terminating zero
    if (api_.nvrtcGetProgramLogSize(program_, &size) != nvrtc_success || size <= 1) return {};
    std::string text(size, '\0');
    if (api_.nvrtcGetProgramLog(program_, text.data()) != nvrtc_success) return {};
    text.resize(size - 1);
    return text;
  }

  [[nodiscard]] std::string lowered_name() const {
    const char* name = nullptr;
    check("nvrtcGetLoweredName",
          api_.nvrtcGetLoweredName(program_, spec_.name_expression.c_str(), &name));
    return name;
  }

  [[nodiscard]] std::vector<std::uint8_t> cubin() const {
    std::size_t size = 0;
    check("nvrtcGetCUBINSize", api_.nvrtcGetCUBINSize(program_, &size));
    std::vector<std::uint8_t> bytes(size);
    check("nvrtcGetCUBIN", api_.nvrtcGetCUBIN(program_, reinterpret_cast<char*>(bytes.data())));
    return bytes;
  }

  const NvrtcApi& api_;
  const KernelSpec& spec_;
  core::Arch arch_;
  IncludeClosure closure_;
  HeaderFolders headers_ = header_folders(closure_);
  NvrtcProgram program_ = nullptr;
};

}  // namespace

bool compiler_available() {
  return loaded_nvrtc().reason.empty();
}
std::string compiler_unavailable_reason() {
  return loaded_nvrtc().reason;
}
std::string compiler_path() {
  return loaded_nvrtc().path;
}
std::pair<int, int> compiler_version() {
  return {loaded_nvrtc().major, loaded_nvrtc().minor};
}

std::vector<int> compiler_archs() {
  if (!compiler_available()) return {};
  const NvrtcApi& api = loaded_nvrtc().api;
  int count = 0;
  if (api.nvrtcGetNumSupportedArchs(&count) != nvrtc_success || count <= 0) return {};
  std::vector<int> archs(static_cast<std::size_t>(count));
  if (api.nvrtcGetSupportedArchs(archs.data()) != nvrtc_success) return {};
  return archs;
}

Binary compile(const KernelSpec& spec, core::Arch arch, std::span<const EmbeddedSource> sources) {
  const LoadedNvrtc& nvrtc = loaded_nvrtc();
  if (!nvrtc.reason.empty())
    fail(Status::no_device, "{} for {}: {}", spec.name_expression, arch.to_string(), nvrtc.reason);
  const std::vector<int> archs = compiler_archs();
  if (std::find(archs.begin(), archs.end(), arch.number()) == archs.end())
    fail(Status::compile_failed, "{} for {}: NVRTC {}.{} compiles for sm_{} alone",
         spec.name_expression, arch.to_string(), nvrtc.major, nvrtc.minor,
         fmt::join(archs, ", sm_"));
  return Program(nvrtc.api, spec, arch, include_closure(spec.entry, sources)).build();
}

std::uint64_t source_hash(const KernelSpec& spec, core::Arch arch,
                          std::span<const EmbeddedSource> sources) {
  Hasher hasher;
  hasher.add(program_text(spec));
  hasher.add(spec.name_expression);
  for (const std::string& option : compile_options(arch)) hasher.add(option);
  for (const EmbeddedSource& source : include_closure(spec.entry, sources).sources) {
    hasher.add(source.path);
    hasher.add(source.text);
  }
  return hasher.digest();
}

std::uint64_t toolchain_identity(const KernelSpec& spec, std::span<const EmbeddedSource> sources) {
  const std::uint64_t compiler = compiler_identity();
  if (compiler == 0) return 0;
  return compiler ^ identity_of_headers(header_folders(include_closure(spec.entry, sources)));
}

}  // namespace flashcore::jit
