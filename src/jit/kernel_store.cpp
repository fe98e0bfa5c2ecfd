#include "jit/kernel_store.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/module.h"
#include "jit/binary_store.h"
#include "jit/compiler.h"
#include "jit/nvrtc.h"

namespace flashcore::jit {
namespace {

// Never destroyed: kernels may be asked for until the process ends.
Cache& process_cache() {
  static auto* cache = new Cache(default_cache_directory());
  return *cache;
}

BinaryStore& process_store() {
  static auto* store = new BinaryStore(nvrtc_source(), process_cache(), default_pack_paths());
  return *store;
}

/// The kernels that are loaded on devices.
class LoadedKernels {
 public:
  cuda::Kernel get(const KernelSpec& spec, int ordinal, const Binary& binary,
                   unsigned shared_bytes) {
    const std::scoped_lock lock(mutex_);
    const Key key{ordinal, spec.entry, spec.name_expression};
    auto found = kernels_.find(key);
    if (found == kernels_.end())
      found =
          kernels_.emplace(key, Loaded{cuda::load_module(binary.cubin, binary.symbol, ordinal), 0})
              .first;
    Loaded& loaded = found->second;
    if (shared_bytes > loaded.shared_bytes) {
      cuda::allow_shared_bytes(loaded.kernel, shared_bytes, ordinal);
      loaded.shared_bytes = shared_bytes;
    }
    return loaded.kernel;
  }

 private:
  using Key = std::tuple<int, std::string, std::string>;  // ordinal, entry, name expression
  struct Loaded {
    cuda::Kernel kernel;
    unsigned shared_bytes;  // dynamic, allowed so far
  };

  std::mutex mutex_;
  std::map<Key, Loaded> kernels_;
};

}  // namespace

FoundBinary find_binary(const KernelSpec& spec, core::Arch arch) {
  return process_store().find(spec, arch);
}

bool obtainable(const KernelSpec& spec, core::Arch arch) {
  if (compiler_available()) return true;
  try {
    find_binary(spec, arch);
    return true;
  } catch (const core::Error&) {
    return false;
  }
}

cuda::Kernel load_kernel(const KernelSpec& spec, int device_ordinal, unsigned shared_bytes) {
  static auto* loaded = new LoadedKernels;
  const FoundBinary found = find_binary(spec, cuda::device_info(device_ordinal).limits.arch);
  return loaded->get(spec, device_ordinal, found.binary, shared_bytes);
}

void load_pack(const std::filesystem::path& path) {
  process_store().load_pack(path);
}

std::vector<PackState> known_packs() {
  return process_store().packs();
}

std::filesystem::path cache_directory() {
  return process_cache().directory();
}

std::string cache_problem() {
  return process_cache().problem();
}

}  // namespace flashcore::jit
