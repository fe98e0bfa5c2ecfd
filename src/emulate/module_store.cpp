#include "emulate/module_store.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <optional>
#include <system_error>

#include "core/error.h"
#include "core/parallel.h"
#include "emulate/module_file.h"
#include "jit/binary_store.h"
#include "jit/files.h"

namespace flashcore::emulate {

namespace fs = std::filesystem;
using jit::Origin;

namespace {

constexpr const char* extension = ".so";

std::string module_name(std::uint64_t key) {
  return fmt::format("{:016x}{}", key, extension);
}

/// What distinguishes modules in memory: cheaper than the hash of their sources.
std::string memory_key(const ModuleSpec& spec) {
  std::string key = fmt::format("{}\n{}\n{}", spec.kernel.entry, spec.kernel.name_expression,
                                static_cast<const void*>(spec.sources.data()));
  for (const std::string& flag : spec.flags) key += '\n' + flag;
  return key;
}

std::optional<std::vector<std::uint8_t>> read_from(const fs::path& folder, const std::string& name,
                                                   std::uint64_t source_hash) {
  try {
    const fs::path path = folder / name;
    auto bytes =
        jit::read_all(jit::open_file(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK), path.string());
    if (is_sealed(bytes, source_hash)) return bytes;
  } catch (const core::Error&) {  // absent
  }
  return std::nullopt;
}

}  // namespace

ModuleStore::ModuleStore(HostCompiler compiler, fs::path cache, std::vector<fs::path> folders)
    : compiler_(std::move(compiler)), cache_(std::move(cache)), folders_(std::move(folders)) {}

ModuleStore::Slot& ModuleStore::slot(const ModuleSpec& spec) {
  const std::scoped_lock lock(slots_mutex_);
  return slots_[memory_key(spec)];
}

FoundModule ModuleStore::find(const ModuleSpec& spec) {
  Slot& found = slot(spec);
  const std::scoped_lock lock(found.mutex);
  if (found.module != nullptr) return {*found.module, Origin::memory};
  const Sealed sealed = make(spec);
  found.module = &load_module(sealed.bytes, spec.kernel.name_expression);
  return {*found.module, sealed.origin};
}

void ModuleStore::write(const ModuleSpec& spec, const fs::path& folder) {
  const std::string name = module_name(ModuleSource(spec).hash());
  const Sealed sealed = make(spec);
  fs::create_directories(folder);
  const auto directory = jit::open_file(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY);
  jit::replace_file(directory.get(), name, sealed.bytes, 0644);
}

ModuleStore::Sealed ModuleStore::make(const ModuleSpec& spec) {
  const ModuleSource source(spec);
  const std::uint64_t hash = source.hash();
  const std::uint64_t compiler = compiler_.identity();
  const std::string cached = module_name(hash ^ (compiler * 0x9e3779b97f4a7c15U));
  // Without a compiler there is no telling which one's code to take from the cache.
  if (compiler != 0)
    if (auto bytes = cache_.find(cached); bytes && is_sealed(*bytes, hash))
      return {std::move(*bytes), Origin::cache};
  for (const fs::path& folder : folders_)
    if (auto bytes = read_from(folder, module_name(hash), hash))
      return {std::move(*bytes), Origin::pack};
  try {
    auto bytes = seal(compile_module(source, compiler_, spec.kernel.name_expression), hash);
    cache_.keep(cached, bytes);
    return {std::move(bytes), Origin::compiler};
  } catch (const core::Error& error) {
    if (error.status() != core::Status::no_device) throw;
    std::string searched;
    for (const fs::path& folder : folders_)
      searched += fmt::format("; {} does not hold it", folder.string());
    throw core::Error(error.status(), error.what() + searched);
  }
}

ModuleStore& process_store() {
  static auto* store =
      new ModuleStore(host_compiler(), jit::default_cache_directory(), default_module_folders());
  return *store;
}

std::vector<fs::path> default_module_folders() {
  std::vector<fs::path> folders;
  for (const fs::path& pack : jit::default_pack_paths())
    folders.push_back(pack.parent_path() / "modules");
  return folders;
}

std::size_t modules_in(const fs::path& folder) {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    count += entry.path().extension() == extension ? 1 : 0;
  return count;
}

std::vector<const host::Module*> prepare_modules(std::span<const ModuleSpec> specs) {
  std::vector<const host::Module*> modules(specs.size());
  core::parallel_for(specs.size(),
                     [&](std::size_t i) { modules[i] = &process_store().find(specs[i]).module; });
  return modules;
}

void write_modules(std::span<const ModuleSpec> specs, const fs::path& folder) {
  core::parallel_for(specs.size(), [&](std::size_t i) { process_store().write(specs[i], folder); });
}

}  // namespace flashcore::emulate
