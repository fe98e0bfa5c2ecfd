// From Python's arguments to one call of the C interface.
#pragma once

#include <nanobind/nanobind.h>

#include <flashcore/flashcore.h>

#include <optional>
#include <string>
#include <tuple>

#include "binding/array_library.h"

namespace flashcore::python {

/// A mask kind beside the C interface's: causal, where both alignments are the same.
inline constexpr int causal_of_either_alignment = 3;

/// What a call was asked beside its arrays and the scale.
struct Options {
  int mask_kind = FLASHCORE_MASK_NONE;
  std::int64_t window_left = -1;
  std::int64_t window_right = -1;
  bool bshd = false;    // dimensions 1 and 2 are [seq, heads], not [heads, seq]
  bool grouped = true;  // fewer key heads than query heads are allowed
};

/// Runs attention, on the stream that the arrays' library works on. `out` none: a new array like q.
/// Returns out, with `return_lse` the pair (out, LSE); none, having done nothing, where the library
/// must see the call happen.
nanobind::object forward(const ArrayLibrary& library, const Options& options, nanobind::handle q,
                         nanobind::handle k, nanobind::handle v, std::optional<double> scale,
                         nanobind::handle out, bool return_lse);

/// Why the call would not be served; none where it would be. `out` may be none.
std::optional<std::string> why_unsupported(const ArrayLibrary& library, const Options& options,
                                           nanobind::handle q, nanobind::handle k,
                                           nanobind::handle v, std::optional<double> scale,
                                           nanobind::handle out);

/// Backend, family, Config and reason of this thread's last forward(). Throws RuntimeError where
/// there was none.
std::tuple<std::string, std::string, std::string, std::string> last_choice();

}  // namespace flashcore::python
