// Blocks of a cluster, which run at the same time and reach each other's shared memory.
#pragma once

#include "device/ptx/mbarrier.h"
#include "device/tile/vector.h"

namespace flashcore::device {

inline int cluster_rank() {
  return host::cluster_rank();
}
inline int cluster_size() {
  return host::cluster_size();
}

inline void cluster_arrive(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::cluster_arrive>(true, host::Site(line));
}

inline void cluster_arrive_relaxed(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::cluster_arrive>(false, host::Site(line));
}

inline void cluster_wait(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::cluster_wait>(host::Site(line));
}

inline void cluster_barrier(std::source_location line = std::source_location::current()) {
  cluster_arrive(line);
  cluster_wait(line);
}

using PeerAddress = host::PeerAddress;

inline PeerAddress peer_address(SharedAddress own, int rank) {
  return {rank, own};
}

/// 4, 8 or 16 bytes as the machine takes them.
template <typename T, int Count>
inline host::Words words_of(const Vector<T, Count>& values) {
  constexpr int words = static_cast<int>(sizeof(T)) * Count / 4;
  static_assert(words == 1 || words == 2 || words == 4);
  const auto given = __builtin_bit_cast(Vector<unsigned, words>, values);
  host::Words filled{};
  for (int i = 0; i < words; ++i) filled.values[i] = given.values[i];
  return filled;
}

template <typename T, int Count>
inline void store_peer(PeerAddress to, const Vector<T, Count>& values,
                       std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::store_peer>(to, words_of(values), sizeof(values), host::Site(line));
}

inline void store_peer(PeerAddress to, float value,
                       std::source_location line = std::source_location::current()) {
  store_peer(to, Vector<float, 1>{{value}}, line);
}

template <int Count>
inline Vector<float, Count> load_peer(PeerAddress from,
                                      std::source_location line = std::source_location::current()) {
  static_assert(Count == 1 || Count == 2 || Count == 4);
  const host::Words words =
      host::call<&host::Machine::load_peer>(from, sizeof(float) * Count, host::Site(line));
  Vector<float, Count> values;
  for (int i = 0; i < Count; ++i) values.values[i] = __builtin_bit_cast(float, words.values[i]);
  return values;
}

template <typename T, int Count>
inline void store_peer_counted(PeerAddress to, const Vector<T, Count>& values, PeerAddress barrier,
                               std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::store_peer_counted>(to, words_of(values), sizeof(values), barrier,
                                                 host::Site(line));
}

inline void store_peer_counted(PeerAddress to, float value, PeerAddress barrier,
                               std::source_location line = std::source_location::current()) {
  store_peer_counted(to, Vector<float, 1>{{value}}, barrier, line);
}

inline void copy_to_peer(PeerAddress to, const unsigned char* s_from, int bytes,
                         PeerAddress barrier,
                         std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::copy_to_peer>(to, s_from, bytes, barrier, host::Site(line));
}

inline void arrive_peer(PeerAddress barrier,
                        std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_arrive_peer>(barrier, host::Site(line));
}

inline void wait_cluster(const Mbarrier& barrier, int parity,
                         std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_wait>(&barrier, parity, host::Scope::cluster,
                                            host::Site(line));
}

}  // namespace flashcore::device
