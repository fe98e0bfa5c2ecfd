// Arguments of a kernel on the host: there is nothing to wait for.
#pragma once

namespace flashcore::device {

inline void touch(unsigned /*argument*/) {}

}  // namespace flashcore::device
