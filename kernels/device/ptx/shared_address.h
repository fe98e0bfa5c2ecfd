// What an instruction that names shared memory takes for a pointer.
#pragma once

namespace flashcore::device {

inline unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

}  // namespace flashcore::device
