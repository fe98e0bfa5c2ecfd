#include "emulate/site.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <bit>
#include <source_location>

namespace flashcore::emulate {

namespace {

/// Where the shared object that holds the address begins; 0 where none does.
std::uintptr_t object_base(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0) return 0;
  return reinterpret_cast<std::uintptr_t>(info.dli_fbase);
}

}  // namespace

ModuleImage::ModuleImage(const host::Module& module)
    : base_(object_base(reinterpret_cast<const void*>(module.run_thread))) {}

SourceLine ModuleImage::line(SiteId site) const {
  const std::uintptr_t address = base_ + (site & ~line_bit);
  if ((site & line_bit) == 0) return {.text = {}, .code = reinterpret_cast<const void*>(address)};
  const auto location = std::bit_cast<std::source_location>(address);
  return {.text = fmt::format("{}:{}", location.file_name(), location.line()), .code = nullptr};
}

bool ModuleImage::holds(const void* address) const {
  return base_ != 0 && object_base(address) == base_;
}

}  // namespace flashcore::emulate
