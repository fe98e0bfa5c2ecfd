// From Python's arguments to one call of the C interface.
#pragma once

#include <nanobind/nanobind.h>

#include <flashcore/flashcore.h>

#include <optional>
#include <string>
#include <tuple>

#include "binding/imported_array.h"

namespace flashcore::python {

/// A mask kind beside the C interface's: causal, where both alignments are the same.
inline constexpr int causal_of_either_alignment = 3;

/// What Python's attention() was asked beside its arrays.
struct Options {
  std::optional<double> scale;
  int mask_kind = FLASHCORE_MASK_NONE;
  std::int64_t window_left = -1;
  std::int64_t window_right = -1;
  bool bshd = false;    // dimensions 1 and 2 are [seq, heads], not [heads, seq]
  bool grouped = true;  // fewer key heads than query heads are allowed
};

/// Runs attention on arrays that exist. `stream` none: the current one of the arrays' library.
/// `allocate(q, bytes)` gives an array of that many bytes on q's device, for the workspace.
/// `synchronize`: wait on the stream for the result.
void forward(nanobind::handle q, nanobind::handle k, nanobind::handle v, nanobind::handle out,
             nanobind::handle lse, const Options& options, std::optional<StreamAddress> stream,
             nanobind::handle allocate, bool synchronize);

/// Why the call would not be served; none where it would be. `out` may be none.
std::optional<std::string> why_unsupported(nanobind::handle q, nanobind::handle k,
                                           nanobind::handle v, nanobind::handle out,
                                           const Options& options);

/// Backend, family, Config and reason of this thread's last forward(). Throws RuntimeError where
/// there was none.
std::tuple<std::string, std::string, std::string, std::string> last_choice();

}  // namespace flashcore::python
