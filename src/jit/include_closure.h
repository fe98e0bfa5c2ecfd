// The sources that a kernel is made of.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jit/embedded_sources.h"

namespace flashcore::jit {

/// A kernel's sources, and what it takes from the compiler's installation.
struct IncludeClosure {
  std::vector<EmbeddedSource> sources;  // sorted by path
  std::vector<std::string> external;    // names in <...> that no embedded source has, sorted
};

/// The entry and every source that it includes, directly or not. Includes inside
/// comments or untaken conditionals count too: too many sources cost a recompile, too few would
/// serve stale machine code. Where a compiler is told to look in a folder of the sources before it
/// looks in their root, that is `first_folder`. Throws invalid_argument when there is no source of
/// the entry's name.
IncludeClosure include_closure(std::string_view entry, std::span<const EmbeddedSource> sources,
                               std::string_view first_folder = {});

}  // namespace flashcore::jit
