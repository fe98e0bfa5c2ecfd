// A compiled module as a file: the shared object with a seal behind it.
//
//   the shared object | magic "FLASHEM1" | u64 hash of its source | u64 XXH3 of all before
//
// Loaders ignore what follows a shared object. Numbers are little-endian.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/module.h"

namespace flashcore::emulate {

std::vector<std::uint8_t> seal(std::vector<std::uint8_t> shared_object, std::uint64_t source_hash);

/// Whether the bytes are whole, and of that source.
bool is_sealed(std::span<const std::uint8_t> bytes, std::uint64_t source_hash);

/// Loads a module for as long as the process lives, from the very bytes that were checked: they are
/// copied to memory that has no name in any folder. Throws compile_failed where they cannot be
/// loaded or are of another version.
const host::Module& load_module(std::span<const std::uint8_t> bytes, const std::string& label);

}  // namespace flashcore::emulate
