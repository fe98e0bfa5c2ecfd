// What an instruction that names shared memory takes for a pointer: as on a GPU, 32 bits that count
// from the beginning of the block's shared memory.
#pragma once

#include "host/current.h"

namespace flashcore::device {

using SharedAddress = unsigned;

inline SharedAddress shared_address(const void* pointer) {
  return static_cast<SharedAddress>(static_cast<const unsigned char*>(pointer) -
                                    host::shared_memory());
}

}  // namespace flashcore::device
