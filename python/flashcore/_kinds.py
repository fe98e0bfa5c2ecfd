"""The libraries that arrays come from: how each allocates, and which stream it works on.

Nothing here imports a library. Whoever holds one of its arrays has done so already.
"""

from __future__ import annotations

import sys
from typing import Any

from ._native.binding import ArrayLibrary


class Kind:
    """NumPy, and what every other kind of array has in common with it.

    `xp` is the library's module. Memory that is allocated for a call is not initialised.
    """

    waits = False
    """Whether a call waits for its result, because the library cannot order its work after ours."""
    current_stream: Any = None
    """What gives the address of the stream that the library works on. None where DLPack's exchange
    table tells it, or there is none."""
    grad_enabled: Any = None
    """What says whether a call would be differentiated, where its inputs require grad."""
    watchers: tuple[Any, ...] = ()
    """What says that somebody must see a call happen; `torch.py` has some."""
    plain_types: tuple[type, ...] = ()
    """The types that are arrays and nothing more."""
    dtypes: tuple[Any, ...] = ()
    """float16, bfloat16 and float32, as `empty_strided_cpu` and `_cuda` take them."""
    byte: Any = None
    """uint8, likewise."""
    empty_strided_cpu: Any = None
    """(sizes, strides, dtype) -> an array of a plain type, quicker than `empty_like` makes one."""
    empty_strided_cuda: Any = None
    """The same on the library's current GPU, whose number `current_device` gives."""
    current_device: Any = None

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.empty_like = xp.empty_like  # in q's own order of memory

    def lse(self, q: Any, shape: tuple[int, ...]) -> Any:
        return self.xp.empty(shape, dtype=self.xp.float32)

    def workspace(self, q: Any, size: int) -> Any:
        """`size` bytes on q's device."""
        return self.xp.empty(size, dtype=self.xp.uint8)

    def on_stream(self, stream: Any, q: Any) -> Any:
        """A context in which the stream is the library's current one."""
        raise ValueError(f"stream: {self.xp.__name__}'s arrays have none")


class TorchKind(Kind):
    def __init__(self, xp: Any) -> None:
        super().__init__(xp)
        if not hasattr(xp.Tensor, "__dlpack_c_exchange_api__"):
            self.current_stream = self._current_stream
        self.grad_enabled = xp.is_grad_enabled
        self.plain_types = (xp.Tensor, xp.nn.Parameter)
        self.dtypes, self.byte = (xp.float16, xp.bfloat16, xp.float32), xp.uint8
        # What the code that torch.compile makes allocates with.
        allocators = getattr(getattr(xp._C, "_dynamo", None), "guards", None)
        self.empty_strided_cpu = getattr(allocators, "_empty_strided_cpu", None)
        self.current_device = getattr(xp._C, "_cuda_getDevice", None)
        if self.current_device is not None:
            self.empty_strided_cuda = getattr(allocators, "_empty_strided_cuda", None)

    def lse(self, q: Any, shape: tuple[int, ...]) -> Any:
        return self.xp.empty(shape, dtype=self.xp.float32, device=q.device)

    def workspace(self, q: Any, size: int) -> Any:
        return self.xp.empty(size, dtype=self.xp.uint8, device=q.device)

    def _current_stream(self, q: Any) -> int | None:
        return self.xp.cuda.current_stream(q.device).cuda_stream if q.is_cuda else None

    def on_stream(self, stream: Any, q: Any) -> Any:
        if not q.is_cuda:
            raise ValueError("stream: q is on the CPU")
        cuda = self.xp.cuda
        address = stream_address(stream)
        if address == 0:
            return cuda.stream(cuda.default_stream(q.device))
        return cuda.stream(cuda.ExternalStream(address, device=q.device))


class CupyKind(Kind):
    def __init__(self, xp: Any) -> None:
        super().__init__(xp)
        self.empty_like = self._empty_like
        self.current_stream = self._current_stream

    def _empty_like(self, q: Any) -> Any:
        with q.device:
            return self.xp.empty_like(q)

    def lse(self, q: Any, shape: tuple[int, ...]) -> Any:
        with q.device:
            return super().lse(q, shape)

    def workspace(self, q: Any, size: int) -> Any:
        with q.device:
            return super().workspace(q, size)

    def _current_stream(self, q: Any) -> Any:
        return self.xp.cuda.get_current_stream(q.device.id).ptr

    def on_stream(self, stream: Any, q: Any) -> Any:
        return self.xp.cuda.ExternalStream(stream_address(stream), device_id=q.device.id)


class ArrayApiKind(Kind):
    """JAX, and others that the array API standard describes. They show no streams: their arrays are
    awaited before a call, on the default stream, and the result before it returns."""

    waits = True

    def lse(self, q: Any, shape: tuple[int, ...]) -> Any:
        return self.xp.empty(shape, dtype=self.xp.float32, device=q.device)

    def workspace(self, q: Any, size: int) -> Any:
        return self.xp.empty(size, dtype=self.xp.uint8, device=q.device)

    def current_stream(self, q: Any) -> int:
        return 0


_BY_LIBRARY = {"torch": TorchKind, "numpy": Kind, "cupy": CupyKind}
known_libraries: dict[type, ArrayLibrary] = {}
"""`library_of` their arrays, by type."""


def library_of(q: Any) -> ArrayLibrary:
    """The query's, which the result's will be. Raises TypeError for no array."""
    library = known_libraries.get(type(q))
    if library is None:
        library = known_libraries[type(q)] = ArrayLibrary(kind_of(q))
    return library


def kind_of(q: Any) -> Kind:
    """The kind of the query. Raises TypeError for no array."""
    for base in type(q).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _BY_LIBRARY and hasattr(q, "__dlpack__"):
            return _BY_LIBRARY[library](sys.modules[library])
    if hasattr(q, "__array_namespace__") and hasattr(q, "__dlpack__"):
        return ArrayApiKind(q.__array_namespace__())
    raise TypeError(
        f"q: a {type(q).__name__} is neither an array of torch, NumPy, CuPy or JAX, nor one of "
        "another library that follows the array API standard"
    )


def stream_address(stream: Any) -> int:
    """The address of a stream: a number, or torch's, CuPy's or CUDA Python's stream."""
    if isinstance(stream, int):
        return stream
    for attribute in ("cuda_stream", "ptr"):
        address = getattr(stream, attribute, None)
        if isinstance(address, int):
            return address
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    raise TypeError(f"stream: a {type(stream).__name__} is neither an address nor a CUDA stream")
