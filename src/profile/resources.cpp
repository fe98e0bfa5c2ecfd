#include "profile/resources.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "family/family.h"
#include "io/process.h"
#include "jit/compiler.h"
#include "jit/kernel_store.h"

namespace flashcore::profile {

using core::fail;
using core::Status;

namespace {

constexpr int round_up(int value, int unit) {
  return (value + unit - 1) / unit * unit;
}

int most_blocks_on(core::Arch arch) {
  switch (arch.number()) {
    case 86:
    case 87: return 16;
    case 89: return 24;
    default: return 32;
  }
}

const family::Family& family_of(const dispatch::Variant& variant) {
  const family::Family* family = family::find_family(variant.family);
  if (family == nullptr)
    fail(Status::unsupported, "variant: {} has no kernels: it runs on the CPU", variant.name);
  return *family;
}

family::ConfigFields config_for(const dispatch::Variant& variant, const core::Problem& problem,
                                const core::GpuLimits& gpu) {
  return family::overlaid(family_of(variant).default_config(problem, gpu),
                          dispatch::pinned_of(variant).config.value_or(family::ConfigFields{}));
}

/// "flashcore::forward_scalar::forward<…>" without what every name begins with.
std::string short_name(const std::string& expression) {
  constexpr std::string_view prefix = "flashcore::";
  const std::string name = expression.substr(0, expression.find('<'));
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

void add_resources(const family::Family& family, const dispatch::Variant& variant,
                   const core::Problem& problem, core::Arch arch,
                   std::vector<KernelResources>& all) {
  const core::GpuLimits gpu = core::limits_of(arch);
  if (!family.supports(problem, gpu)) return;
  const family::ConfigFields config = config_for(variant, problem, gpu);
  const auto shapes = family.prepare(problem, config, gpu)->shapes();
  const std::vector<jit::KernelSpec> specs = family.kernels(config);
  for (std::size_t i = 0; i < std::min(specs.size(), shapes.size()); ++i) {
    KernelResources kernel{.arch = arch,
                           .name = short_name(specs[i].name_expression),
                           .report = jit::find_binary(specs[i], arch).binary.report,
                           .threads = static_cast<int>(shapes[i].block),
                           .grid = shapes[i].grid,
                           .occupancy = {}};
    kernel.shared_bytes = kernel.report.shared_bytes + static_cast<int>(shapes[i].shared_bytes);
    kernel.occupancy =
        occupancy_of(gpu, kernel.report.registers, kernel.shared_bytes, kernel.threads);
    all.push_back(std::move(kernel));
  }
}

struct InstructionKind {
  std::string_view kind;
  std::vector<std::string_view> prefixes;  // of the opcode
};

/// NVIDIA's CUDA binary utilities, "Instruction Set Reference"; the first kind that fits.
const std::vector<InstructionKind>& instruction_kinds() {
  static const std::vector<InstructionKind> kinds{
      {"tensor", {"HMMA", "HGMMA", "IMMA", "QGMMA", "BMMA", "DMMA"}},
      {"local memory (spills)", {"LDL", "STL"}},
      {"shared memory", {"LDS", "STS", "LDSM", "STSM", "ATOMS"}},
      {"asynchronous copies", {"LDGSTS", "LDGDEPBAR", "DEPBAR", "UTMA", "UBLKCP", "CPASYNC"}},
      {"global memory", {"LDG", "STG", "LD.", "ST.", "RED", "ATOMG", "ATOM"}},
      {"special functions", {"MUFU"}},
      {"fp32 arithmetic", {"FFMA", "FMUL", "FADD", "FMNMX", "FSET", "FSEL", "FCHK"}},
      {"fp16 arithmetic", {"HFMA2", "HMUL2", "HADD2", "HMNMX2", "HSET2"}},
      {"conversions", {"F2F", "F2I", "I2F", "F2FP", "F2IP", "FRND"}},
      {"shuffles and votes", {"SHFL", "VOTE", "REDUX", "MATCH"}},
      {"barriers", {"BAR", "SYNCS", "MEMBAR", "FENCE", "WARPSYNC", "ERRBAR", "WARPGROUP", "CCTL"}},
      {"branches", {"BRA", "BRX", "BSSY", "BSYNC", "EXIT", "CALL", "RET", "NANOSLEEP", "BREAK"}},
      {"padding", {"NOP"}},
  };
  return kinds;
}

std::string kind_of(std::string_view opcode) {
  for (const InstructionKind& each : instruction_kinds())
    for (const std::string_view prefix : each.prefixes) {
      const std::string_view stem = opcode.substr(0, opcode.find('.'));
      if (stem == prefix || (prefix.ends_with('.') && opcode.starts_with(prefix)) ||
          (prefix.size() >= 4 && stem.starts_with(prefix)))
        return std::string{each.kind};
    }
  return "integers, moves and predicates";
}

/// A file that is gone when this is.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::span<const std::uint8_t> bytes) {
    std::string path = (std::filesystem::temp_directory_path() / "flashcore_XXXXXX").string();
    const int descriptor = mkstemp(path.data());
    if (descriptor < 0) fail(Status::io, "{}: cannot be created", path);
    close(descriptor);
    path_ = path;
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::vector<std::string> disassembler_command() {
  std::string home = "/usr/local/cuda";
  if (const char* set = std::getenv("CUDA_HOME")) home = set;
  const std::array<std::string, 2> cuobjdump{home + "/bin/cuobjdump",
                                             "/usr/local/cuda-*/bin/cuobjdump"};
  const std::array<std::string, 2> nvdisasm{home + "/bin/nvdisasm",
                                            "/usr/local/cuda-*/bin/nvdisasm"};
  if (const auto found = io::find_program("cuobjdump", cuobjdump); !found.empty())
    return {found.string(), "-sass"};
  if (const auto found = io::find_program("nvdisasm", nvdisasm); !found.empty())
    return {found.string()};
  fail(Status::io, "neither cuobjdump nor nvdisasm is in PATH or {}/bin", home);
}

}  // namespace

Occupancy occupancy_of(const core::GpuLimits& gpu, int registers, int shared_bytes, int threads) {
  constexpr int reserved_bytes = 1024;
  constexpr int partitions = 4;
  const int warps = (threads + 31) / 32;
  const int registers_per_warp = round_up(std::max(registers, 1) * 32, 256);
  const int warps_by_registers =
      gpu.registers_per_multiprocessor / partitions / registers_per_warp * partitions;
  struct Limit {
    int blocks;
    const char* name;
  };
  const std::array<Limit, 4> limits{
      {{gpu.shared_bytes_per_multiprocessor / round_up(shared_bytes + reserved_bytes, 128),
        "shared memory"},
       {warps_by_registers / warps, "registers"},
       {gpu.max_threads_per_multiprocessor / 32 / warps, "threads"},
       {most_blocks_on(gpu.arch), "blocks"}}};
  const Limit least =
      *std::min_element(limits.begin(), limits.end(),
                        [](const Limit& a, const Limit& b) { return a.blocks < b.blocks; });
  return {.blocks = least.blocks,
          .percent = 100.0 * least.blocks * warps * 32 / gpu.max_threads_per_multiprocessor,
          .limited_by = least.name};
}

std::vector<KernelResources> resources_of(const dispatch::Variant& variant,
                                          const core::Problem& problem) {
  const family::Family& family = family_of(variant);
  std::vector<KernelResources> all;
  for (const core::Arch arch : family.archs()) add_resources(family, variant, problem, arch, all);
  if (all.empty())
    fail(Status::unsupported, "{} does not serve {}", variant.name, problem.to_string());
  return all;
}

InstructionMix mix_of(const std::string& disassembly) {
  InstructionMix mix;
  for (std::string_view line_text; const std::string& line : io::lines_of(disassembly)) {
    // "        /*00a0*/              @!P0 LDG.E.128 R4, [R2.64] ;    /* 0x… */"
    line_text = line;
    const auto start = line_text.find_first_not_of(" \t");
    if (start == std::string_view::npos || !line_text.substr(start).starts_with("/*")) continue;
    const auto address_end = line_text.find("*/", start);
    if (address_end == std::string_view::npos || line_text.substr(start + 2, 2) == "0x") continue;
    if (address_end - start > 10) continue;  // an encoding, not an address
    std::string_view rest = line_text.substr(address_end + 2);
    const auto skip_blanks = [&] {
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t{"), rest.size()));
    };
    skip_blanks();
    if (rest.starts_with('@')) {
      rest.remove_prefix(std::min(rest.find_first_of(" \t"), rest.size()));
      skip_blanks();
    }
    const std::string_view opcode = rest.substr(0, rest.find_first_of(" \t;"));
    if (!opcode.empty() && opcode.front() >= 'A' && opcode.front() <= 'Z') ++mix[kind_of(opcode)];
  }
  return mix;
}

std::vector<DisassembledKernel> disassemble(const dispatch::Variant& variant,
                                            const core::Problem& problem, core::Arch arch) {
  constexpr std::chrono::seconds limit{60};
  const std::vector<std::string> tool = disassembler_command();
  std::vector<DisassembledKernel> kernels;
  const family::ConfigFields config = config_for(variant, problem, core::limits_of(arch));
  for (const jit::KernelSpec& spec : family_of(variant).kernels(config)) {
    const TemporaryFile cubin(jit::find_binary(spec, arch).binary.cubin);
    std::vector<std::string> command = tool;
    command.push_back(cubin.path());
    const io::ProcessResult result = io::run_process(command, limit);
    if (!result.succeeded())
      fail(Status::io, "{} failed: {}", tool.front(), result.output.substr(0, 200));
    kernels.push_back({arch, short_name(spec.name_expression), mix_of(result.output)});
  }
  return kernels;
}

}  // namespace flashcore::profile
