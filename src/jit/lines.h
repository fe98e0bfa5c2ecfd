// Text by lines.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace flashcore::jit {

/// Calls visit(line, offset of its first character) for each line, without its newline.
template <typename Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    visit(text.substr(begin, end - begin), begin);
    begin = end + 1;
  }
}

}  // namespace flashcore::jit
