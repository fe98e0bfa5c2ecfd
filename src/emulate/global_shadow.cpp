#include "emulate/global_shadow.h"

namespace flashcore::emulate {

std::size_t GlobalShadow::place_of(std::uintptr_t line) {
  const auto [found, added] = places_.try_emplace(line, places_.size() * line_bytes);
  if (added) shadow_.grow(places_.size() * line_bytes);
  return found->second;
}

template <typename Access>
bool GlobalShadow::line_by_line(const void* address, std::size_t bytes, Shadow::Conflict& conflict,
                                Access&& access) {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  const std::uintptr_t end = begin + bytes;
  for (std::uintptr_t first = begin; first < end;) {
    const std::uintptr_t line = first / line_bytes;
    const std::uintptr_t last = std::min(end, (line + 1) * line_bytes);
    const std::size_t place = place_of(line);
    if (!access(place + first % line_bytes, last - first)) {
      conflict.offset = line * line_bytes + (conflict.offset - place);
      return false;
    }
    first = last;
  }
  return true;
}

bool GlobalShadow::read(const void* from, std::size_t bytes, const Knowledge& thread, SiteId site,
                        Shadow::Conflict& conflict) {
  return line_by_line(from, bytes, conflict, [&](std::size_t place, std::size_t count) {
    return shadow_.read(place, count, thread, thread.epoch(), site, conflict);
  });
}

bool GlobalShadow::write(const void* to, std::size_t bytes, const Knowledge& thread, SiteId site,
                         Shadow::Conflict& conflict) {
  return line_by_line(to, bytes, conflict, [&](std::size_t place, std::size_t count) {
    return shadow_.write(place, count, thread, thread.epoch(), site, conflict);
  });
}

void GlobalShadow::clear() {
  places_.clear();
  shadow_.clear();
}

}  // namespace flashcore::emulate
