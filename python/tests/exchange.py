"""Arrays that describe themselves by DLPack's C exchange table, as a library in C would."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, PYFUNCTYPE, Structure, c_int, c_int32, c_int64, c_void_p
from typing import Any

import numpy as np

CPU, CUDA = 1, 2


class DLTensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_index", c_int32),
        ("ndim", c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


TensorOf = PYFUNCTYPE(c_int, ctypes.py_object, POINTER(DLTensor))
CurrentStream = CFUNCTYPE(c_int, c_int32, c_int32, POINTER(c_void_p))


class Table(Structure):
    """DLPackExchangeAPI: a version, an older table, and five functions, three of them not used."""

    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("previous", c_void_p),
        *((name, c_void_p) for name in ("allocate", "managed_tensor_of", "object_of")),
        ("tensor_of", TensorOf),
        ("current_stream", CurrentStream),
    ]


@TensorOf
def _tensor_of(array: Any, out: Any) -> int:
    out[0] = array.description
    type(array).described += 1
    return 0


STREAMS = [0x5000, 0x5001]
"""What the tables say is current, by the device's number."""


@CurrentStream
def _current_stream(_device_type: int, index: int, out: Any) -> int:
    out[0] = STREAMS[index]
    return 0


def table(major: int = 1, previous: Table | None = None, tensor_of: Any = _tensor_of) -> Table:
    address = None if previous is None else ctypes.addressof(previous)
    made = Table(major, 3, address, None, None, None, tensor_of, _current_stream)
    made.kept = previous
    return made


def capsule(of: Table, name: bytes = b"dlpack_exchange_api") -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [c_void_p, ctypes.c_char_p, c_void_p]
    return new(ctypes.addressof(of), name, None)


class ExchangeArray:
    """NumPy's memory, of which `device` may say that it is a GPU's. `of(…)` gives it a table."""

    described = 0  # how often an array of the type was described by its table

    def __init__(self, array: np.ndarray, device: tuple[int, int] = (CPU, 0)) -> None:
        self.array, self.device, self.shape = array, device, array.shape
        sizes = (c_int64 * array.ndim)(*array.shape)
        steps = (c_int64 * array.ndim)(*(step // array.itemsize for step in array.strides))
        bits = 8 * array.itemsize
        code = {"f": 2, "u": 1}[array.dtype.kind]
        self.description = DLTensor(
            array.ctypes.data, *device, array.ndim, code, bits, 1, sizes, steps, 0
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None) -> Any:
        return self.array.__dlpack__(max_version=max_version)

    @classmethod
    def of(cls, tables: Table, name: bytes = b"dlpack_exchange_api") -> type[ExchangeArray]:
        """A type of its own, since a type's table is looked up once."""
        members = {
            "__dlpack_c_exchange_api__": capsule(tables, name),
            "table": tables,
            "name": name,
            "described": 0,
        }
        return type("WithTable", (cls,), members)
