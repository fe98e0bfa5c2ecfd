// The sources that a kernel is made of.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "jit/embedded_sources.h"

namespace flashcore::jit {

/// The entry and every source that it includes, directly or not, sorted by path. Includes inside
/// comments or untaken conditionals count too: too many sources cost a recompile, too few would
/// serve stale machine code. Throws invalid_argument when there is no source of the entry's name.
std::vector<EmbeddedSource> include_closure(std::string_view entry,
                                            std::span<const EmbeddedSource> sources);

}  // namespace flashcore::jit
