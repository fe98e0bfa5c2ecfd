// A host::Site in 32 bits, for tables: an offset into the module.
#pragma once

#include <cstdint>
#include <string>

#include "emulate/finding.h"
#include "host/machine.h"
#include "host/module.h"

namespace flashcore::emulate {

using SiteId = std::uint32_t;

/// The shared object that a kernel was loaded from.
class ModuleImage {
 public:
  explicit ModuleImage(const host::Module& module);

  [[nodiscard]] SiteId id(host::Site site) const {
    return static_cast<SiteId>(site.address() - base_) | (site.is_line() ? line_bit : 0);
  }
  /// Lines that a wrapper was called from are named, others hold their address.
  [[nodiscard]] SourceLine line(SiteId site) const;
  [[nodiscard]] SourceLine line(host::Site site) const { return line(id(site)); }
  /// Whether the address belongs to the shared object: constants, for one.
  [[nodiscard]] bool holds(const void* address) const;

 private:
  static constexpr SiteId line_bit = 1U << 31;

  std::uintptr_t base_ = 0;
};

}  // namespace flashcore::emulate
