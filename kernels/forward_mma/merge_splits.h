// How merge_splits is launched; shared by host and device.
#pragma once

namespace flashcore::forward_mma {

inline constexpr int merge_threads = 128;

}  // namespace flashcore::forward_mma
