// A loop over many threads, for work on the host that nobody times.
#pragma once

#include <cstddef>
#include <functional>

namespace flashcore::core {

/// Calls `body(i)` for every i below `count`, on at most `most_threads` threads and no more than
/// the machine has processors. Each i is called once, in no order. The first exception stops the
/// rest and is thrown again.
void parallel_for(std::size_t count, std::size_t most_threads,
                  const std::function<void(std::size_t)>& body);

/// On as many threads as there are processors.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body);

}  // namespace flashcore::core
