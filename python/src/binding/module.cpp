// flashcore._native.binding: the C interface on DLPack arrays. Defaults, words for masks and
// layouts, and the caller's own kind of array are Python's part (flashcore/__init__.py).
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <flashcore/flashcore.h>

#include "binding/call.h"
#include "binding/errors.h"
#include "binding/forked_process.h"

namespace nb = nanobind;
using namespace flashcore::python;

NB_MODULE(binding, module) {
  watch_forks();

  module.def(
      "forward",
      [](nb::handle q, nb::handle k, nb::handle v, nb::handle out, nb::handle lse,
         std::optional<double> scale, int mask_kind, std::int64_t window_left,
         std::int64_t window_right, bool bshd, bool grouped, std::optional<StreamAddress> stream,
         nb::handle allocate, bool synchronize) {
        forward(q, k, v, out, lse, {scale, mask_kind, window_left, window_right, bshd, grouped},
                stream, allocate, synchronize);
      },
      nb::arg("q"), nb::arg("k"), nb::arg("v"), nb::arg("out"), nb::arg("lse").none(),
      nb::arg("scale").none(), nb::arg("mask_kind"), nb::arg("window_left"),
      nb::arg("window_right"), nb::arg("bshd"), nb::arg("grouped"), nb::arg("stream").none(),
      nb::arg("allocate"), nb::arg("synchronize"));

  module.def(
      "why_unsupported",
      [](nb::handle q, nb::handle k, nb::handle v, nb::handle out, std::optional<double> scale,
         int mask_kind, std::int64_t window_left, std::int64_t window_right, bool bshd) {
        return why_unsupported(q, k, v, out, {scale, mask_kind, window_left, window_right, bshd});
      },
      nb::arg("q"), nb::arg("k"), nb::arg("v"), nb::arg("out").none(), nb::arg("scale").none(),
      nb::arg("mask_kind"), nb::arg("window_left"), nb::arg("window_right"), nb::arg("bshd"));

  module.def("last_choice", &last_choice);

  module.def(
      "load_pack",
      [](const std::string& path) {
        if (const auto status = flashcore_load_pack(path.c_str()); status != FLASHCORE_OK)
          raise_status(status, flashcore_last_error());
      },
      nb::arg("path"));

  module.def("version", &flashcore_version);

  module.attr("MASK_NONE") = int{FLASHCORE_MASK_NONE};
  module.attr("MASK_CAUSAL_TOP_LEFT") = int{FLASHCORE_MASK_CAUSAL_TOP_LEFT};
  module.attr("MASK_CAUSAL_BOTTOM_RIGHT") = int{FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT};
  module.attr("MASK_CAUSAL") = causal_of_either_alignment;
}
