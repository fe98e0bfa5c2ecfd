// Overlap with the kernel before and the kernel after in a stream, where a launch allows it (PTX
// ISA 9.7.13, "griddepcontrol"; programmatic dependent launch).
#pragma once

namespace flashcore::device {

/// Returns when the kernels that this one depends on have ended and what they wrote is visible.
/// Does nothing in an ordinary launch.
inline void wait_for_predecessor() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}

/// The kernel after this one may begin once every block has called this, or ended.
inline void allow_successor() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

}  // namespace flashcore::device
