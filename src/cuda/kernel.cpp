#include "cuda/kernel.h"

#include <array>

#include "core/error.h"
#include "cuda/driver_api.h"

namespace flashcore::cuda {

void require_clusters(const LaunchShape& shape) {
  if (shape.cluster >= 1 && shape.cluster <= most_blocks_per_cluster &&
      shape.grid % shape.cluster == 0)
    return;
  core::fail(core::Status::invalid_argument,
             "launch: {} blocks in clusters of {}; a cluster has 1 to {} blocks, and divides the "
             "grid",
             shape.grid, shape.cluster, most_blocks_per_cluster);
}

api::LaunchDims api::dims_of(const LaunchShape& shape) {
  require_clusters(shape);
  return {.grid_x = shape.grid,
          .grid_y = 1,
          .grid_z = 1,
          .block_x = shape.block,
          .block_y = 1,
          .block_z = 1,
          .shared_bytes = shape.shared_bytes};
}

void launch_on_gpu(void* function, const LaunchShape& shape, StreamHandle stream,
                   const void* params, std::size_t /*params_bytes*/) {
  std::array<api::LaunchAttribute, 1> attributes;
  unsigned count = 0;
  if (shape.overlap)
    attributes[count++] = {.id = api::programmatic_stream_serialization, .value = {1}};
  const api::LaunchConfig config{
      .dims = api::dims_of(shape),
      .stream = static_cast<api::Stream>(stream),
      .attributes = attributes.data(),
      .attribute_count = count,
  };
  void* arguments[] = {const_cast<void*>(params)};  // the driver only reads it
  api::check(api::driver().cuLaunchKernelEx(&config, static_cast<api::Function>(function),
                                            arguments, nullptr),
             "cuLaunchKernelEx");
}

}  // namespace flashcore::cuda
