// Binaries by kernel and architecture: in memory, in the cache, in packs, from the compiler.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "jit/cache.h"
#include "jit/kernel_store.h"
#include "jit/pack.h"

namespace flashcore::jit {

/// What the store does about a kernel that it has not seen, replaceable so that it can be tested.
struct KernelSource {
  std::function<Binary(const KernelSpec&, core::Arch)> compile;
  std::function<std::uint64_t(const KernelSpec&, core::Arch)> source_hash;
  std::function<std::uint64_t(const KernelSpec&)> toolchain_identity;  // 0: no compiler
  std::function<std::pair<int, int>()> compiler_version;
};

/// The embedded sources and NVRTC: what every program uses.
KernelSource nvrtc_source();

/// Thread-safe. A kernel that several threads ask for is made once, while the others wait;
/// different kernels are made in parallel.
class BinaryStore {
 public:
  /// `default_packs` are looked for when the first kernel is in neither memory nor cache. Those
  /// that are not there are passed over.
  BinaryStore(KernelSource source, Cache& cache, std::vector<std::filesystem::path> default_packs);

  FoundBinary find(const KernelSpec& spec, core::Arch arch);
  void load_pack(const std::filesystem::path& path);
  std::vector<PackState> packs();

 private:
  struct Slot {
    std::atomic<bool> ready = false;
    std::mutex mutex;  // held by whoever makes the binary
    Binary binary;
  };
  struct KeyView {
    const KernelSpec& spec;
    core::Arch arch;
  };
  struct Key {
    KernelSpec spec;
    core::Arch arch;
    operator KeyView() const { return {spec, arch}; }
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const KeyView& key) const;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const {
      return a.arch == b.arch && a.spec == b.spec;
    }
  };

  Slot& slot(const KernelSpec& spec, core::Arch arch);
  Origin make(const KernelSpec& spec, core::Arch arch, Binary& binary);
  const Binary* find_in_packs(std::uint64_t hash, const KernelSpec& spec, core::Arch arch);
  Binary compile(const KernelSpec& spec, core::Arch arch);

  KernelSource source_;
  Cache& cache_;

  std::shared_mutex slots_mutex_;
  std::unordered_map<Key, Slot, Hash, Equal> slots_;  // its elements never move

  std::mutex packs_mutex_;
  std::vector<std::filesystem::path> default_packs_;  // not looked for yet
  std::vector<PackState> pack_states_;
  std::unordered_multimap<std::uint64_t, PackEntry> pack_entries_;  // by source hash
};

/// $FLASHCORE_PACK alone when it is set; else where an installation or a build directory has it.
std::vector<std::filesystem::path> default_pack_paths();

}  // namespace flashcore::jit
