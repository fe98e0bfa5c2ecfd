// What an instruction that names shared memory takes for a pointer.
#pragma once

namespace flashcore::device {

using SharedAddress = unsigned;

inline SharedAddress shared_address(const void* pointer) {
  return static_cast<SharedAddress>(__cvta_generic_to_shared(pointer));
}

}  // namespace flashcore::device
