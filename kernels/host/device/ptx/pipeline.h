// cuda::pipeline of one thread: on a GPU its copies of 16 bytes are cp.async, its batches groups.
#pragma once

#include "device/ptx/cp_async.h"

namespace flashcore::device {

class CopyPipeline {
 public:
  void copy(void* s_target, const void* g_source,
            std::source_location line = std::source_location::current()) {
    copy_async_16(static_cast<unsigned char*>(s_target), g_source, true, line);
  }

  void commit(std::source_location line = std::source_location::current()) {
    copy_async_commit(line);
  }

  template <int Newer>
  void wait(std::source_location line = std::source_location::current()) {
    copy_async_wait<Newer>(line);
  }
};

}  // namespace flashcore::device
