#include "jit/binary_store.h"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "jit/compiler.h"
#include "jit/nvrtc.h"
#include "jit/nvrtc_search.h"

namespace flashcore::jit {

namespace fs = std::filesystem;

KernelSource nvrtc_source() {
  return {.compile = [](const KernelSpec& spec,
                        core::Arch arch) { return flashcore::jit::compile(spec, arch); },
          .source_hash = [](const KernelSpec& spec,
                            core::Arch arch) { return flashcore::jit::source_hash(spec, arch); },
          .toolchain_identity =
              [](const KernelSpec& spec) { return flashcore::jit::toolchain_identity(spec); },
          .compiler_version = compiler_version};
}

BinaryStore::BinaryStore(KernelSource source, Cache& cache, std::vector<fs::path> default_packs)
    : source_(std::move(source)), cache_(cache), default_packs_(std::move(default_packs)) {}

std::size_t BinaryStore::Hash::operator()(const KeyView& key) const {
  const std::hash<std::string_view> hash;
  return hash(key.spec.name_expression) * 31 + hash(key.spec.entry) * 7 +
         static_cast<std::size_t>(key.arch.number() * 2 + (key.arch.specific ? 1 : 0));
}

BinaryStore::Slot& BinaryStore::slot(const KernelSpec& spec, core::Arch arch) {
  {
    const std::shared_lock lock(slots_mutex_);
    if (const auto found = slots_.find(KeyView{spec, arch}); found != slots_.end())
      return found->second;
  }
  const std::unique_lock lock(slots_mutex_);
  return slots_[Key{spec, arch}];
}

FoundBinary BinaryStore::find(const KernelSpec& spec, core::Arch arch) {
  Slot& kernel = slot(spec, arch);
  if (kernel.ready.load(std::memory_order_acquire)) return {kernel.binary, Origin::memory};
  const std::scoped_lock lock(kernel.mutex);
  if (kernel.ready.load(std::memory_order_relaxed)) return {kernel.binary, Origin::memory};
  const Origin origin = make(spec, arch, kernel.binary);
  kernel.ready.store(true, std::memory_order_release);
  return {kernel.binary, origin};
}

Origin BinaryStore::make(const KernelSpec& spec, core::Arch arch, Binary& binary) {
  const std::uint64_t hash = source_.source_hash(spec, arch);
  const std::uint64_t toolchain = source_.toolchain_identity(spec);
  const std::uint64_t cache_key = hash ^ (toolchain * 0x9e3779b97f4a7c15U);
  // Without a compiler there is no telling which one's code to take from the cache.
  if (toolchain != 0)
    if (auto entry = cache_.find(cache_key, hash, spec, arch)) {
      binary = std::move(entry->binary);
      return Origin::cache;
    }
  if (const Binary* packed = find_in_packs(hash, spec, arch)) {
    binary = *packed;
    return Origin::pack;
  }
  binary = compile(spec, arch);
  cache_.keep(cache_key, {.source_hash = hash,
                          .spec = spec,
                          .arch = arch,
                          .nvrtc_version = source_.compiler_version(),
                          .binary = binary});
  return Origin::compiler;
}

/// Where there is no compiler, the message says which packs were searched in vain.
Binary BinaryStore::compile(const KernelSpec& spec, core::Arch arch) {
  try {
    return source_.compile(spec, arch);
  } catch (const core::Error& error) {
    if (error.status() != core::Status::no_device) throw;
    std::string searched;
    for (const PackState& pack : packs())
      searched += fmt::format("; pack {}: {}", pack.path.string(),
                              pack.problem.empty() ? "does not hold it" : pack.problem);
    if (searched.empty()) searched = "; and there is no pack";
    throw core::Error(error.status(), error.what() + searched);
  }
}

const Binary* BinaryStore::find_in_packs(std::uint64_t hash, const KernelSpec& spec,
                                         core::Arch arch) {
  packs();
  const std::scoped_lock lock(packs_mutex_);
  const auto [begin, end] = pack_entries_.equal_range(hash);
  for (auto entry = begin; entry != end; ++entry)
    if (entry->second.is(hash, spec, arch)) return &entry->second.binary;
  return nullptr;
}

void BinaryStore::load_pack(const fs::path& path) {
  std::vector<PackEntry> entries = read_pack_file(path);
  const std::scoped_lock lock(packs_mutex_);
  pack_states_.push_back({path, entries.size(), {}});
  for (PackEntry& entry : entries) {
    const std::uint64_t hash = entry.source_hash;
    pack_entries_.emplace(hash, std::move(entry));
  }
}

std::vector<PackState> BinaryStore::packs() {
  std::vector<fs::path> paths;
  {
    const std::scoped_lock lock(packs_mutex_);
    paths.swap(default_packs_);
  }
  for (const fs::path& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    try {
      load_pack(path);
    } catch (const std::exception& problem) {
      const std::scoped_lock lock(packs_mutex_);
      pack_states_.push_back({path, 0, problem.what()});
    }
  }
  const std::scoped_lock lock(packs_mutex_);
  return pack_states_;
}

std::vector<fs::path> default_pack_paths() {
  const SearchEnvironment environment = process_environment();
  if (const auto path = environment.variable("FLASHCORE_PACK")) return {*path};
  std::vector<fs::path> paths;
  for (const fs::path& directory : environment.binary_directories) {
    const fs::path path =
        (directory / ".." / "share" / "flashcore" / "default.pack").lexically_normal();
    paths.push_back(path);
  }
#ifdef FLASHCORE_INSTALLED_PACK
  if (paths.empty() || paths.front() != FLASHCORE_INSTALLED_PACK)
    paths.emplace_back(FLASHCORE_INSTALLED_PACK);
#endif
  return paths;
}

}  // namespace flashcore::jit
