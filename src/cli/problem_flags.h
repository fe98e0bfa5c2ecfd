// The flags with which bench and verify are told what to compute.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "core/problem.h"
#include "dispatch/variants.h"

namespace flashcore::cli {

struct ProblemFlags {
  std::vector<std::string> shapes;
  std::string dtype = "fp16";
  std::string mask = "none";
  std::string window;
  std::string device = "auto";
  std::string arch = dispatch::default_emulated_arch.to_string();
  std::vector<std::string> variants;

  [[nodiscard]] bool emulated() const { return device == "emulator"; }
};

/// --shape, --dtype, --mask and --window.
void add_shape_flags(CLI::App& command, ProblemFlags& flags);
/// Those, and --variant.
void add_call_flags(CLI::App& command, ProblemFlags& flags);
/// --arch: which GPU the emulator stands for.
void add_arch_flag(CLI::App& command, ProblemFlags& flags);
/// --variant, --shape and the others, --device and --arch.
void add_problem_flags(CLI::App& command, ProblemFlags& flags);

/// Throw invalid_argument naming the flag and the value.
core::Dtype dtype_of(const ProblemFlags& flags);
core::Mask mask_of(const ProblemFlags& flags);
std::vector<core::Problem> shape_problems(const ProblemFlags& flags);

/// Where the variant runs: on the emulator where that is asked for, else on its own backend.
dispatch::Device device_of(const ProblemFlags& flags, const dispatch::Variant& variant);

/// The variants asked for, or every one that runs here on the device asked for. Throws no_device
/// where a GPU is asked for and there is none, invalid_argument for a name that does not exist or
/// that the device excludes.
std::vector<const dispatch::Variant*> chosen_variants(const ProblemFlags& flags);

}  // namespace flashcore::cli
