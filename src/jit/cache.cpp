#include "jit/cache.h"

#include <fmt/format.h>

#include <array>

#include "core/error.h"

namespace flashcore::jit {

namespace {

std::string file_name(std::uint64_t key) {
  return fmt::format("{:016x}.pack", key);
}

}  // namespace

std::optional<PackEntry> Cache::find(std::uint64_t key, std::uint64_t source_hash,
                                     const KernelSpec& spec, core::Arch arch) const {
  const std::string name = file_name(key);
  const auto bytes = folder_.find(name);
  if (!bytes) return std::nullopt;
  try {
    std::vector<PackEntry> entries = read_pack(*bytes, name);
    if (entries.size() != 1 || !entries[0].is(source_hash, spec, arch)) return std::nullopt;
    return std::move(entries[0]);
  } catch (const core::Error&) {
    return std::nullopt;  // damaged: compiled again, and then replaced
  }
}

void Cache::keep(std::uint64_t key, const PackEntry& entry) {
  folder_.keep(file_name(key), write_pack(std::array{entry}));
}

}  // namespace flashcore::jit
