// flashcore info: what this machine has, and what of FlashCore runs on it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "build_commit.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "core/error.h"
#include "cpu/backend.h"
#include "cuda/driver.h"
#include "dispatch/tuned.h"
#include "dispatch/variants.h"
#include "emulate/module_store.h"
#include "family/family.h"
#include "gate/rules.h"
#include "jit/compiler.h"
#include "jit/kernel_store.h"

namespace flashcore::cli {
namespace {

using nlohmann::json;

/// The first processor's value in /proc/cpuinfo; empty where there is none.
std::string cpuinfo(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    if (line.find_first_not_of(" \t", key.size()) != colon) continue;
    const auto value = line.find_first_not_of(' ', colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return {};
}

/// Those of the processor's features that attention can use.
std::vector<std::string> cpu_features() {
  constexpr std::array useful{"sse4_2",      "avx2",        "fma",      "f16c",  "avx512f",
                              "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "asimdhp",
                              "bf16",        "sve",         "sve2"};
  std::istringstream words(cpuinfo("flags") + ' ' + cpuinfo("Features"));
  std::vector<std::string> features;
  for (std::string word; words >> word;)
    if (std::find(useful.begin(), useful.end(), word) != useful.end()) features.push_back(word);
  return features;
}

/// Of the tree that this program was built from.
json commit_json() {
  const std::string id = bench::build_commit;
  if (id.empty()) return {{"id", nullptr}, {"dirty", nullptr}};
  return {{"id", id}, {"dirty", bench::build_dirty}};
}

json cpu_json() {
  return {{"model", cpuinfo("model name")},
          {"features", cpu_features()},
          {"processors", std::thread::hardware_concurrency()},
          {"threads", cpu::thread_count()},
          {"simd", cpu::simd_target()}};
}

/// "13.0" of 13000
std::string driver_version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

json driver_json() {
  if (!cuda::driver_available())
    return {{"available", false}, {"reason", cuda::driver_unavailable_reason()}};
  return {{"available", true}, {"cuda_version", driver_version_text(cuda::driver_version())}};
}

json gpus_json() {
  json gpus = json::array();
  for (int ordinal = 0; ordinal < cuda::device_count(); ++ordinal) {
    const cuda::DeviceInfo& gpu = cuda::device_info(ordinal);
    gpus.push_back({{"ordinal", ordinal},
                    {"name", gpu.name},
                    {"uuid", gpu.uuid},
                    {"arch", gpu.limits.arch.to_string()},
                    {"multiprocessors", gpu.limits.multiprocessors},
                    {"memory_bytes", gpu.memory_bytes},
                    {"l2_bytes", gpu.l2_bytes},
                    {"shared_bytes_per_block", gpu.limits.shared_bytes_per_block},
                    {"clock_mhz", gpu.clock_khz / 1000}});
  }
  return gpus;
}

json nvrtc_json() {
  if (!jit::compiler_available())
    return {{"available", false}, {"reason", jit::compiler_unavailable_reason()}};
  const auto [major, minor] = jit::compiler_version();
  return {{"available", true},
          {"path", jit::compiler_path()},
          {"version", fmt::format("{}.{}", major, minor)}};
}

json emulator_json() {
  const emulate::HostCompiler& compiler = emulate::host_compiler();
  json folders = json::array();
  for (const auto& folder : emulate::default_module_folders())
    if (const std::size_t count = emulate::modules_in(folder); count > 0)
      folders.push_back({{"path", folder.string()}, {"kernels", count}});
  return {{"compiler", fmt::format("{}", fmt::join(compiler.command, " "))},
          {"version", compiler.version},
          {"problem", compiler.problem},
          {"modules", folders}};
}

json packs_json() {
  json packs = json::array();
  for (const jit::PackState& pack : jit::known_packs())
    packs.push_back(
        {{"path", pack.path.string()}, {"kernels", pack.kernels}, {"problem", pack.problem}});
  return packs;
}

json tuned_json() {
  json folders = json::array();
  for (const dispatch::TunedFolder& folder : dispatch::known_tuned())
    folders.push_back({{"path", folder.path.string()},
                       {"records", folder.records},
                       {"problems", folder.problems}});
  return folders;
}

/// Where nothing serves the Problem, of no family and with the reason.
dispatch::Choice choice_or_why_not(const core::Problem& problem, const dispatch::Device& device) {
  try {
    return dispatch::choose(problem, device);
  } catch (const core::Error& error) {
    return {device.backend, "nothing", "", error.what()};
  }
}

/// What serves the mission shape on each GPU, and why.
json choices_json() {
  json choices = json::array();
  const core::Problem mission = gate::mission_problem();
  for (int ordinal = 0; ordinal < cuda::device_count(); ++ordinal) {
    const auto choice =
        choice_or_why_not(mission, {.backend = dispatch::Backend::cuda, .ordinal = ordinal});
    choices.push_back({{"ordinal", ordinal},
                       {"problem", mission.to_string()},
                       {"family", choice.family},
                       {"config", choice.config},
                       {"reason", choice.reason}});
  }
  return choices;
}

json families_json() {
  json families = json::array();
  for (const family::Family* family : family::all_families()) {
    std::vector<std::string> archs;
    for (const core::Arch arch : family->archs()) archs.push_back(arch.to_string());
    families.push_back(
        {{"name", family->name()}, {"summary", family->summary()}, {"archs", archs}});
  }
  return families;
}

json variants_json() {
  json variants = json::array();
  for (const dispatch::Variant& variant : dispatch::all_variants()) {
    const core::Support here = dispatch::runs_here(variant);
    variants.push_back({{"name", variant.name},
                        {"backend", dispatch::name(variant.backend)},
                        {"family", variant.family},
                        {"summary", variant.summary},
                        {"runs_here", static_cast<bool>(here)},
                        {"reason", here.reason()}});
  }
  return variants;
}

json gather() {
  return {{"version", flashcore_version()},
          {"commit", commit_json()},
          {"cpu", cpu_json()},
          {"driver", driver_json()},
          {"gpus", gpus_json()},
          {"nvrtc", nvrtc_json()},
          {"emulator", emulator_json()},
          {"cache",
           {{"directory", jit::cache_directory().string()}, {"problem", jit::cache_problem()}}},
          {"packs", packs_json()},
          {"tuned", tuned_json()},
          {"choices", choices_json()},
          {"families", families_json()},
          {"variants", variants_json()}};
}

std::string text_of(const json& value) {
  return value.get<std::string>();
}

std::string joined(const json& list) {
  return fmt::format("{}", fmt::join(list.get<std::vector<std::string>>(), " "));
}

/// ", commit 0edfded, changed"; empty where the tree was no checkout.
std::string commit_text(const json& commit) {
  if (commit["id"].is_null()) return "";
  return fmt::format(", commit {:.7}{}", text_of(commit["id"]),
                     commit["dirty"].get<bool>() ? ", changed" : "");
}

void print_machine(const json& info) {
  const json& cpu = info["cpu"];
  fmt::print("CPU      {}, {} processors\n", text_of(cpu["model"]), cpu["processors"].get<int>());
  fmt::print("         features {}\n", joined(cpu["features"]));
  fmt::print("         FlashCore uses {} threads and {}\n", cpu["threads"].get<int>(),
             text_of(cpu["simd"]));
  const json& driver = info["driver"];
  if (driver["available"].get<bool>())
    fmt::print("driver   CUDA {}\n", text_of(driver["cuda_version"]));
  else
    fmt::print("driver   none: {}\n", text_of(driver["reason"]));
  for (const json& gpu : info["gpus"])
    fmt::print("GPU {}    {}, {}, {} multiprocessors, {} MiB\n", gpu["ordinal"].get<int>(),
               text_of(gpu["name"]), text_of(gpu["arch"]), gpu["multiprocessors"].get<int>(),
               gpu["memory_bytes"].get<std::size_t>() >> 20);
}

void print_kernel_sources(const json& info) {
  const json& nvrtc = info["nvrtc"];
  if (nvrtc["available"].get<bool>())
    fmt::print("NVRTC    {}, {}\n", text_of(nvrtc["version"]), text_of(nvrtc["path"]));
  else
    fmt::print("NVRTC    none: {}\n", text_of(nvrtc["reason"]));
  const json& emulator = info["emulator"];
  const std::string none = text_of(emulator["problem"]);
  fmt::print("emulator {}\n",
             none.empty() ? fmt::format("compiles with {}, {}", text_of(emulator["version"]),
                                        text_of(emulator["compiler"]))
                          : none);
  for (const json& folder : emulator["modules"])
    fmt::print("         {}, {} kernels\n", text_of(folder["path"]), folder["kernels"].get<int>());
  const std::string problem = text_of(info["cache"]["problem"]);
  fmt::print("cache    {}{}\n", text_of(info["cache"]["directory"]),
             problem.empty() ? "" : fmt::format(", not used: {}", problem));
  for (const json& pack : info["packs"]) {
    const std::string trouble = text_of(pack["problem"]);
    fmt::print("pack     {}, {}\n", text_of(pack["path"]),
               trouble.empty() ? fmt::format("{} kernels", pack["kernels"].get<int>())
                               : fmt::format("not used: {}", trouble));
  }
  if (info["packs"].empty()) fmt::print("pack     none\n");
}

void print_tuned(const json& info) {
  for (const json& folder : info["tuned"]) {
    fmt::print("tuned    {}, {} records\n", text_of(folder["path"]), folder["records"].get<int>());
    for (const json& problem : folder["problems"])
      fmt::print("         not used: {}\n", text_of(problem));
  }
  if (info["tuned"].empty()) fmt::print("tuned    no records\n");
  for (const json& choice : info["choices"])
    fmt::print("GPU {}    {}: {} {}; {}\n", choice["ordinal"].get<int>(),
               text_of(choice["problem"]), text_of(choice["family"]), text_of(choice["config"]),
               text_of(choice["reason"]));
}

void print_choices(const json& info) {
  Table families({{"family"}, {"architectures"}, {"what it is"}});
  for (const json& family : info["families"])
    families.add_row(
        {text_of(family["name"]), joined(family["archs"]), text_of(family["summary"])});
  fmt::print("\n{}", families.to_string());
  Table variants({{"variant"}, {"backend"}, {"family"}, {"runs here"}, {"what it is"}});
  for (const json& variant : info["variants"]) {
    const bool here = variant["runs_here"].get<bool>();
    variants.add_row({text_of(variant["name"]), text_of(variant["backend"]),
                      text_of(variant["family"]), here ? "yes" : "no",
                      text_of(variant["summary"])});
  }
  fmt::print("\n{}", variants.to_string());
  for (const json& variant : info["variants"])
    if (const std::string reason = text_of(variant["reason"]); !reason.empty())
      fmt::print("{} does not run here: {}\n", text_of(variant["name"]), reason);
}

struct InfoFlags {
  bool as_json = false;
  bool runnable = false;
};

int run_info(const InfoFlags& options) {
  if (options.runnable) {
    for (const dispatch::Variant& variant : dispatch::all_variants())
      if (dispatch::runs_here(variant)) fmt::print("{}\n", variant.name);
    return exit_ok;
  }
  const json info = gather();
  if (options.as_json) {
    fmt::print("{}\n", info.dump(2));
    return exit_ok;
  }
  fmt::print("FlashCore {}{}\n", text_of(info["version"]), commit_text(info["commit"]));
  print_machine(info);
  print_kernel_sources(info);
  print_tuned(info);
  print_choices(info);
  return exit_ok;
}

}  // namespace

void add_info(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InfoFlags>();
  CLI::App* command = app.add_subcommand(
      "info", "What this machine has (CPU, GPUs, driver, compiler) and which variants run on it");
  auto* as_json = command->add_flag("--json", options->as_json, "Print it as JSON");
  command
      ->add_flag("--runnable", options->runnable,
                 "Print only the names of the variants that run here, one per line")
      ->excludes(as_json);
  command->callback([options, &exit_code] { exit_code = run_info(*options); });
}

}  // namespace flashcore::cli
