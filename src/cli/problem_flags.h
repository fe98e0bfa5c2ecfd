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
  std::vector<std::string> variants;
};

void add_problem_flags(CLI::App& command, ProblemFlags& flags);

/// Throw invalid_argument naming the flag and the value.
core::Dtype dtype_of(const ProblemFlags& flags);
core::Mask mask_of(const ProblemFlags& flags);
std::vector<core::Problem> shape_problems(const ProblemFlags& flags);

/// The variants asked for, or every one that runs here on the device asked for. Throws no_device
/// where a GPU is asked for and there is none, invalid_argument for a name that does not exist or
/// that the device excludes.
std::vector<const dispatch::Variant*> chosen_variants(const ProblemFlags& flags);

}  // namespace flashcore::cli
