// The library's errors as Python's exceptions.
#pragma once

#include <nanobind/nanobind.h>

#include <flashcore/flashcore.h>

namespace flashcore::python {

/// Throws a Python exception with a message as printf forms it.
[[noreturn, gnu::format(printf, 2, 3)]] void raise(PyObject* type, const char* format, ...);

/// Throws what fits the status, with the library's own message: ValueError, NotImplementedError,
/// MemoryError, OSError or RuntimeError. Needs the GIL.
[[noreturn]] void raise_status(flashcore_status status, const char* message);

}  // namespace flashcore::python
