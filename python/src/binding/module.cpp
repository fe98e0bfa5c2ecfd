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
  nb::set_leak_warnings(false);  // what flashcore's modules keep, they keep until the process ends

  nb::class_<ArrayLibrary>(module, "ArrayLibrary").def(nb::init<nb::handle>(), nb::arg("kind"));

  nb::class_<Options>(module, "Options")
      .def(nb::init<int, std::int64_t, std::int64_t, bool, bool>(), nb::arg("mask_kind"),
           nb::arg("window_left"), nb::arg("window_right"), nb::arg("bshd"), nb::arg("grouped"));

  module.def("forward", &forward, nb::arg("library"), nb::arg("options"), nb::arg("q"),
             nb::arg("k"), nb::arg("v"), nb::arg("scale").none(), nb::arg("out").none(),
             nb::arg("return_lse"));

  module.def("why_unsupported", &why_unsupported, nb::arg("library"), nb::arg("options"),
             nb::arg("q"), nb::arg("k"), nb::arg("v"), nb::arg("scale").none(),
             nb::arg("out").none());

  module.def("last_choice", &last_choice);

  module.def(
      "load_pack",
      [](const std::string& path) {
        if (const auto status = flashcore_load_pack(path.c_str()); status != FLASHCORE_OK)
          raise_status(status, flashcore_last_error());
      },
      nb::arg("path"));

  module.def("version", &flashcore_version);

  module.attr("NO_BACKWARD") = no_backward;
  module.attr("MASK_NONE") = int{FLASHCORE_MASK_NONE};
  module.attr("MASK_CAUSAL_TOP_LEFT") = int{FLASHCORE_MASK_CAUSAL_TOP_LEFT};
  module.attr("MASK_CAUSAL_BOTTOM_RIGHT") = int{FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT};
  module.attr("MASK_CAUSAL") = causal_of_either_alignment;
}
