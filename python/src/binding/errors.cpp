#include "binding/errors.h"

#include <cstdarg>
#include <string_view>

#include "binding/forked_process.h"

namespace flashcore::python {
namespace {

PyObject* exception_for(flashcore_status status) {
  switch (status) {
    case FLASHCORE_INVALID_ARGUMENT: return PyExc_ValueError;
    case FLASHCORE_UNSUPPORTED: return PyExc_NotImplementedError;
    case FLASHCORE_OUT_OF_MEMORY: return PyExc_MemoryError;
    case FLASHCORE_IO: return PyExc_OSError;
    default: return PyExc_RuntimeError;
  }
}

bool about_device(flashcore_status status) {
  return status == FLASHCORE_NO_DEVICE || status == FLASHCORE_DEVICE_FAILED;
}

}  // namespace

void raise(PyObject* type, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  PyErr_FormatV(type, format, arguments);
  va_end(arguments);
  throw nanobind::python_error();
}

void raise_status(flashcore_status status, const char* message) {
  const std::string_view text = message;
  const char* hint = about_device(status) && forked_after_import() ? forked_hint : "";
  // The C interface calls the output o, Python's keyword is out.
  if (text.starts_with("o: ")) raise(exception_for(status), "out%s%s", message + 1, hint);
  raise(exception_for(status), "%s%s", message, hint);
}

}  // namespace flashcore::python
