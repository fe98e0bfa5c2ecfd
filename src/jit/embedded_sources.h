// The kernels' sources, embedded in the library when it is built (cmake/EmbedKernels.cmake).
#pragma once

#include <span>
#include <string_view>

namespace flashcore::jit {

struct EmbeddedSource {
  std::string_view path;  // relative to kernels/, as an #include names it
  std::string_view text;
};

std::span<const EmbeddedSource> embedded_sources();

}  // namespace flashcore::jit
