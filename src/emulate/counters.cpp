#include "emulate/counters.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace flashcore::emulate {

std::string_view name(host::Instruction instruction) {
  static constexpr std::array<std::string_view, host::instruction_kinds> names{
      "mma",
      "ldmatrix",
      "wmma_load",
      "wmma_store",
      "shuffle",
      "warp_barrier",
      "warp_ballot",
      "warp_any",
      "elect",
      "named_barrier",
      "named_barrier_arrive",
      "cluster_arrive",
      "cluster_wait",
      "set_registers",
      "wgmma",
      "wgmma_fence",
      "wgmma_commit",
      "wgmma_wait",
      "ex2",
      "lg2",
      "reciprocal",
      "convert",
      "block_barrier",
      "block_any",
      "cp_async",
      "cp_async_commit",
      "cp_async_wait",
      "mbarrier_init",
      "mbarrier_arrive",
      "mbarrier_wait",
      "mbarrier_test",
      "tensor_prefetch",
      "tensor_load",
      "tensor_store",
      "tensor_store_commit",
      "tensor_store_wait",
      "fence_async",
      "peer_load",
      "peer_store",
      "peer_store_counted",
      "peer_copy",
      "peer_arrive"};
  return names[static_cast<std::size_t>(instruction)];
}

std::string_view name(AccessKind kind) {
  static constexpr std::array<std::string_view, access_kinds> names{
      "shared_load", "shared_store", "shared_copy", "shared_matrix", "peer_load",
      "peer_store",  "peer_copy",    "global_load", "global_store",  "global_copy"};
  return names[static_cast<std::size_t>(kind)];
}

SiteCounts& SiteCounts::operator+=(const SiteCounts& other) {
  instructions += other.instructions;
  bytes += other.bytes;
  passes += other.passes;
  least_passes += other.least_passes;
  return *this;
}

Counts& Counts::operator+=(const Counts& other) {
  for (std::size_t i = 0; i < instructions.size(); ++i) instructions[i] += other.instructions[i];
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += other.bytes[i];
  sites.insert(sites.end(), other.sites.begin(), other.sites.end());
  merge_lines(*this);
  return *this;
}

void merge_lines(Counts& counts) {
  std::map<std::tuple<AccessKind, std::string, const void*>, SiteCounts> merged;
  for (const SiteCounts& site : counts.sites) {
    SiteCounts& sum =
        merged[{site.kind, site.where.text, site.where.text.empty() ? site.where.code : nullptr}];
    sum.kind = site.kind;
    sum.where = site.where;
    sum += site;
  }
  counts.sites.clear();
  for (auto& [key, site] : merged) counts.sites.push_back(std::move(site));
}

void name_lines(Counts& counts) {
  std::vector<SourceLine*> lines;
  for (SiteCounts& site : counts.sites) lines.push_back(&site.where);
  name_lines(lines);
  merge_lines(counts);
}

}  // namespace flashcore::emulate
