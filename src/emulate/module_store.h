// Where emulated kernels come from: memory, the user's cache, the folder of modules beside an
// installed pack, the machine's C++ compiler, in that order.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "emulate/host_compiler.h"
#include "emulate/module_source.h"
#include "host/module.h"
#include "jit/binary.h"
#include "jit/cache_folder.h"

namespace flashcore::emulate {

struct FoundModule {
  const host::Module& module;  // lives as long as the process
  jit::Origin origin;
};

/// Thread-safe. A module that several threads ask for is made once, while the others wait;
/// different modules are made in parallel.
class ModuleStore {
 public:
  /// Of the folders those that are not there are passed over.
  ModuleStore(HostCompiler compiler, std::filesystem::path cache,
              std::vector<std::filesystem::path> folders);

  /// Throws compile_failed, or no_device where there is neither the module nor a compiler. A
  /// damaged file of the cache or a folder is as good as none.
  FoundModule find(const ModuleSpec& spec);
  /// Writes the module to a folder, as an installation has it.
  void write(const ModuleSpec& spec, const std::filesystem::path& folder);

  /// Why the cache is not used; empty when it is.
  std::string cache_problem() { return cache_.problem(); }

 private:
  struct Slot {
    std::mutex mutex;  // held by whoever makes the module
    const host::Module* module = nullptr;
  };
  struct Sealed {
    std::vector<std::uint8_t> bytes;
    jit::Origin origin;
  };

  Slot& slot(const ModuleSpec& spec);
  Sealed make(const ModuleSpec& spec);

  const HostCompiler compiler_;
  jit::CacheFolder cache_;
  const std::vector<std::filesystem::path> folders_;
  std::mutex slots_mutex_;
  std::map<std::string, Slot> slots_;  // its elements never move
};

/// The store that every program uses.
ModuleStore& process_store();

/// The folders of modules that lie beside the packs (jit::default_pack_paths).
std::vector<std::filesystem::path> default_module_folders();

/// How many modules a folder holds.
std::size_t modules_in(const std::filesystem::path& folder);

/// process_store().find() for each, side by side; the first failure is thrown.
std::vector<const host::Module*> prepare_modules(std::span<const ModuleSpec> specs);
/// process_store().write() for each, side by side; the first failure is thrown.
void write_modules(std::span<const ModuleSpec> specs, const std::filesystem::path& folder);

}  // namespace flashcore::emulate
