#include "emulate/module_file.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/error.h"
#include "jit/files.h"

namespace flashcore::emulate {

using core::fail;
using core::Status;

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::uint64_t seal_magic = 0x314D454853414C46;  // "FLASHEM1"

struct Seal {
  std::uint64_t magic;
  std::uint64_t source_hash;
  std::uint64_t checksum;
};

Seal seal_of(std::span<const std::uint8_t> shared_object, std::uint64_t source_hash) {
  return {seal_magic, source_hash,
          XXH3_64bits_withSeed(shared_object.data(), shared_object.size(), source_hash)};
}

[[noreturn]] void fail_to_load(const std::string& label, const std::string& why) {
  fail(Status::compile_failed, "{} for the emulator: {}", label, why);
}

}  // namespace

std::vector<std::uint8_t> seal(std::vector<std::uint8_t> shared_object, std::uint64_t source_hash) {
  const Seal seal = seal_of(shared_object, source_hash);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&seal);
  shared_object.insert(shared_object.end(), bytes, bytes + sizeof(seal));
  return shared_object;
}

bool is_sealed(std::span<const std::uint8_t> bytes, std::uint64_t source_hash) {
  if (bytes.size() <= sizeof(Seal)) return false;
  const auto shared_object = bytes.first(bytes.size() - sizeof(Seal));
  const Seal expected = seal_of(shared_object, source_hash);
  return std::memcmp(bytes.data() + shared_object.size(), &expected, sizeof(expected)) == 0;
}

const host::Module& load_module(std::span<const std::uint8_t> bytes, const std::string& label) {
  // Open for as long as the process lives: the loader tells files apart by these names.
  const int descriptor = memfd_create("flashcore_emulated", MFD_CLOEXEC);
  if (descriptor < 0) fail_to_load(label, std::generic_category().message(errno));
  jit::FileDescriptor file(descriptor);
  jit::write_all(file, label, bytes);
  const std::string name = fmt::format("/proc/{}/fd/{}", getpid(), descriptor);
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail_to_load(label, dlerror());
  const auto* module = static_cast<const host::Module*>(dlsym(library, host::module_symbol));
  if (module == nullptr || module->version != host::module_version)
    fail_to_load(label, fmt::format("the module is of version {}, not {}",
                                    module == nullptr ? 0 : module->version, host::module_version));
  file.keep_open();
  return *module;
}

}  // namespace flashcore::emulate
