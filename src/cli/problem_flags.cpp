#include "cli/problem_flags.h"

#include <fmt/format.h>

#include <charconv>

#include "bench/shape.h"
#include "core/error.h"
#include "cuda/driver.h"

namespace flashcore::cli {

using core::fail;
using core::Status;
using dispatch::Backend;
using dispatch::Variant;

namespace {

std::int64_t window_side(std::string_view side, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(side.data(), side.data() + side.size(), value);
  if (error != std::errc{} || end != side.data() + side.size() || value < -1)
    fail(Status::invalid_argument, "window: '{}' is not LEFT,RIGHT with numbers from -1 on", text);
  return value;
}

std::string variant_names() {
  std::string names;
  for (const Variant& variant : dispatch::all_variants())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", variant.name);
  return names;
}

bool device_allows(const std::string& device, Backend backend) {
  return device == "auto" || (device == "cpu") == (backend == Backend::cpu);
}

void require_gpu() {
  if (!cuda::driver_available())
    fail(Status::no_device, "device: gpu, but {}", cuda::driver_unavailable_reason());
  if (cuda::device_count() == 0) fail(Status::no_device, "device: gpu, but the driver finds none");
}

}  // namespace

void add_call_flags(CLI::App& command, ProblemFlags& flags) {
  command
      .add_option("--variant", flags.variants,
                  "Variants by name, with commas or repeated (see `flashcore info`); without it, "
                  "every one that runs here")
      ->delimiter(',');
  add_shape_flags(command, flags);
}

void add_shape_flags(CLI::App& command, ProblemFlags& flags) {
  command
      .add_option("--shape", flags.shapes,
                  "b=1,h=8,s=512,d=64[,hkv=HEADS][,skv=KEYS]: batch, query heads, queries, "
                  "head_dim, key heads, keys; may be repeated")
      ->allow_extra_args(false)
      ->take_all();
  command.add_option("--dtype", flags.dtype, "fp16, bf16 or fp32")->capture_default_str();
  command.add_option("--mask", flags.mask, "none, causal_top_left or causal_bottom_right")
      ->capture_default_str();
  command.add_option("--window", flags.window,
                     "LEFT,RIGHT: keys seen on either side of the diagonal, inclusive; -1 for all");
}

void add_arch_flag(CLI::App& command, ProblemFlags& flags) {
  command.add_option("--arch", flags.arch, "The GPU that the emulator stands for")
      ->capture_default_str();
}

void add_problem_flags(CLI::App& command, ProblemFlags& flags) {
  add_call_flags(command, flags);
  command
      .add_option("--device", flags.device,
                  "auto, cpu, gpu, or emulator: the GPU kernels executed and checked on the CPU")
      ->check(CLI::IsMember({"auto", "cpu", "gpu", "emulator"}))
      ->capture_default_str();
  add_arch_flag(command, flags);
}

core::Dtype dtype_of(const ProblemFlags& flags) {
  const auto dtype = core::dtype_from_name(flags.dtype);
  if (!dtype)
    fail(Status::invalid_argument, "dtype: '{}' is not one of fp16, bf16, fp32", flags.dtype);
  return *dtype;
}

core::Mask mask_of(const ProblemFlags& flags) {
  core::Mask mask = bench::parse_mask(flags.mask);
  if (flags.window.empty()) return mask;
  const std::string_view text = flags.window;
  const auto comma = text.find(',');
  if (comma == std::string_view::npos)
    fail(Status::invalid_argument, "window: '{}' is not LEFT,RIGHT", text);
  mask.window_left = window_side(text.substr(0, comma), text);
  mask.window_right = window_side(text.substr(comma + 1), text);
  return mask;
}

dispatch::Device device_of(const ProblemFlags& flags, const Variant& variant) {
  if (!flags.emulated()) return dispatch::device_of(variant, 0);
  return {.backend = Backend::emulator, .arch = core::known_arch(flags.arch)};
}

std::vector<core::Problem> shape_problems(const ProblemFlags& flags) {
  std::vector<core::Problem> problems;
  for (const std::string& shape : flags.shapes)
    problems.push_back(
        bench::to_problem(bench::parse_shape(shape), dtype_of(flags), mask_of(flags)));
  return problems;
}

std::vector<const Variant*> chosen_variants(const ProblemFlags& flags) {
  if (flags.device == "gpu") require_gpu();
  if (flags.emulated()) core::known_arch(flags.arch);
  std::vector<const Variant*> chosen;
  for (const std::string& name : flags.variants) {
    const Variant* variant = dispatch::find_variant(name);
    if (variant == nullptr)
      fail(Status::invalid_argument, "variant: '{}' is not one of {}", name, variant_names());
    if (!device_allows(flags.device, variant->backend))
      fail(Status::invalid_argument, "variant: {} runs on the {}, device is {}", name,
           variant->backend == Backend::cpu ? "cpu" : "gpu", flags.device);
    if (std::find(chosen.begin(), chosen.end(), variant) == chosen.end()) chosen.push_back(variant);
  }
  if (!chosen.empty()) return chosen;
  for (const Variant& variant : dispatch::all_variants())
    if (device_allows(flags.device, variant.backend) &&
        dispatch::runs_on(variant, device_of(flags, variant)))
      chosen.push_back(&variant);
  if (chosen.empty()) fail(Status::no_device, "device: no variant runs on {} here", flags.device);
  return chosen;
}

}  // namespace flashcore::cli
