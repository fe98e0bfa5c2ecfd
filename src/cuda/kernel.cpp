#include "cuda/kernel.h"

#include "cuda/driver_api.h"

namespace flashcore::cuda {

void launch_on_gpu(void* function, const LaunchShape& shape, StreamHandle stream,
                   const void* params) {
  api::LaunchAttribute cluster{.id = api::cluster_dimension, .value = {shape.cluster, 1, 1}};
  const api::LaunchConfig config{
      .grid_x = shape.grid,
      .grid_y = 1,
      .grid_z = 1,
      .block_x = shape.block,
      .block_y = 1,
      .block_z = 1,
      .shared_bytes = shape.shared_bytes,
      .stream = static_cast<api::Stream>(stream),
      .attributes = &cluster,
      .attribute_count = shape.cluster > 1 ? 1U : 0U,
  };
  void* arguments[] = {const_cast<void*>(params)};  // the driver only reads it
  api::check(api::driver().cuLaunchKernelEx(&config, static_cast<api::Function>(function),
                                            arguments, nullptr),
             "cuLaunchKernelEx");
}

}  // namespace flashcore::cuda
