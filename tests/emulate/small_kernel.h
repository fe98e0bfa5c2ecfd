// The small kernels of tests/emulate/kernels as modules.
#pragma once

#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "emulate/module_store.h"

namespace flashcore::emulate {

/// A file's text: "hopper/kernel.cuh".
inline std::string small_kernel_text(const std::string& name) {
  std::ifstream file(std::filesystem::path(FLASHCORE_SOURCE_DIR) / "tests/emulate/kernels" / name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The module of `flashcore::<folder>::kernel`, which <folder>/kernel.cuh and params.h define.
inline const host::Module& small_kernel(const std::string& folder) {
  static std::deque<std::string> texts;  // for as long as the modules' store may ask
  static std::deque<std::vector<jit::EmbeddedSource>> all_sources;
  const auto embedded = jit::embedded_sources();
  auto& sources = all_sources.emplace_back(embedded.begin(), embedded.end());
  const auto add = [&](const char* file) {
    const std::string& path = texts.emplace_back(folder + '/' + file);
    sources.push_back({path, texts.emplace_back(small_kernel_text(path))});
  };
  add("kernel.cuh");
  add("params.h");
  const std::string kernel = "flashcore::" + folder + "::kernel";
  return process_store()
      .find({.kernel = {.entry = folder + "/kernel.cuh", .name_expression = kernel},
             .sources = sources})
      .module;
}

}  // namespace flashcore::emulate
