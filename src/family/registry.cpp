#include <algorithm>
#include <array>

#include "family/families.h"
#include "family/family.h"

namespace flashcore::family {

std::span<const Family* const> all_families() {
  static const std::array families{forward_scalar(), forward_wmma(), forward_cp_async(),
                                   forward_mma(), forward_tma_wgmma()};
  return families;
}

const Family* find_family(std::string_view name) {
  const auto families = all_families();
  const auto found = std::find_if(families.begin(), families.end(),
                                  [&](const Family* family) { return family->name() == name; });
  return found == families.end() ? nullptr : *found;
}

}  // namespace flashcore::family
