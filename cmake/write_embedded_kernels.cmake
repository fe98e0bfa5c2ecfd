# Writes a C++ file that defines flashcore::jit::embedded_sources(): (path, text) of each header.
set(content "// Generated from kernels/. Do not edit.
#include \"jit/embedded_sources.h\"

namespace flashcore::jit {

std::span<const EmbeddedSource> embedded_sources() {
  static constexpr EmbeddedSource sources[] = {
")
foreach(header IN LISTS HEADERS)
  file(READ ${ROOT}/${header} text)
  string(APPEND content "      {\"${header}\", R\"fc_source(${text})fc_source\"},\n")
endforeach()
string(APPEND content "  };
  return sources;
}

}  // namespace flashcore::jit
")
file(WRITE ${OUTPUT} "${content}")
