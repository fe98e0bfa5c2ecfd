// What an emulated launch did: instructions, bytes, bank conflicts, coalescing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "emulate/finding.h"
#include "host/machine.h"

namespace flashcore::emulate {

enum class AccessKind : std::uint8_t {
  shared_load,
  shared_store,
  shared_copy,  // the destination of an asynchronous copy
  shared_matrix,
  peer_load,  // another block's shared memory
  peer_store,
  peer_copy,
  global_load,
  global_store,
  global_copy,  // the source of an asynchronous copy
};
inline constexpr int access_kinds = static_cast<int>(AccessKind::global_copy) + 1;

constexpr bool is_shared(AccessKind kind) {
  return kind <= AccessKind::peer_copy;
}

std::string_view name(host::Instruction instruction);
std::string_view name(AccessKind kind);

/// The accesses of one place in the source, warp by warp: lanes that pass it for the same time
/// since their warp last met count as one instruction.
struct SiteCounts {
  AccessKind kind = AccessKind::shared_load;
  SourceLine where;
  std::uint64_t instructions = 0;
  std::uint64_t bytes = 0;
  /// Shared: turns that the 32 banks of 4 bytes took, and would have taken without conflicts.
  /// Global: sectors of 32 bytes that were touched, and the fewest that hold as many bytes.
  std::uint64_t passes = 0;
  std::uint64_t least_passes = 0;

  [[nodiscard]] std::uint64_t excess() const { return passes - least_passes; }
  SiteCounts& operator+=(const SiteCounts& other);
};

struct Counts {
  std::array<std::uint64_t, host::instruction_kinds> instructions{};  // see host::Instruction
  std::array<std::uint64_t, access_kinds> bytes{};
  std::vector<SiteCounts> sites;  // by kind and place; none without checks

  [[nodiscard]] std::uint64_t of(host::Instruction instruction) const {
    return instructions[static_cast<std::size_t>(instruction)];
  }
  [[nodiscard]] std::uint64_t of(AccessKind kind) const {
    return bytes[static_cast<std::size_t>(kind)];
  }
  Counts& operator+=(const Counts& other);
};

/// Adds up the sites of one kind and line: a line has as many as the compiler made copies of it.
void merge_lines(Counts& counts);

/// Names the lines of the sites, which costs a run of addr2line, and merges them.
void name_lines(Counts& counts);

}  // namespace flashcore::emulate
