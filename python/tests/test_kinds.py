"""Arrays of other libraries, and streams, without the libraries."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

import flashcore
from exchange import ExchangeArray, TensorOf, table
from flashcore._kinds import stream_address


class OldArray:
    """A library from before DLPack 1.0: `__dlpack__` knows no max_version."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()


class StandardArray(OldArray):
    """A library of which only the array API standard is known."""

    device = "cpu"

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self.array.__dlpack__(max_version=max_version)

    def __array_namespace__(self):
        return StandardNamespace


class StandardNamespace:
    float32, uint8 = np.float32, np.uint8

    @staticmethod
    def empty_like(q):
        return StandardArray(np.empty_like(q.array))

    @staticmethod
    def empty(shape, *, dtype, device):
        assert device == "cpu"
        return StandardArray(np.empty(shape, dtype))


class DeviceArray(OldArray):
    """On a device that nobody serves."""

    def __dlpack__(self, *, stream=None, max_version=None):
        capsule = self.array.__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        device_type = ctypes.c_int32.from_address(pointer(capsule, b"dltensor") + 8)
        device_type.value = 8  # Metal
        return capsule


def inputs():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((1, 2, 20, 32), dtype=np.float32) for _ in range(3)]


def test_an_array_api_library_gets_arrays_of_its_own():
    q, k, v = inputs()
    o, lse = flashcore.attention(*map(StandardArray, (q, k, v)), return_lse=True)
    expected, expected_lse = flashcore.attention(q, k, v, return_lse=True)
    assert type(o) is type(lse) is StandardArray
    assert np.array_equal(o.array, expected) and np.array_equal(lse.array, expected_lse)


def test_dlpack_from_before_version_1_is_read():
    q, k, v = inputs()
    o = flashcore.attention(q, OldArray(k), OldArray(v))
    assert np.array_equal(o, flashcore.attention(q, k, v))


def test_an_exchange_table_gives_what_dlpacks_capsules_give():
    q, k, v = inputs()
    k, v = (np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2) for x in (k, v))
    expected = flashcore.attention(q, k, v)
    Array = ExchangeArray.of(table())
    assert np.array_equal(flashcore.attention(q, Array(k), Array(v)), expected)
    assert Array.described == 2


@pytest.mark.parametrize("behind_a_newer", [False, True])
def test_of_a_chain_of_exchange_tables_the_one_of_version_1_is_read(behind_a_newer):
    q, k, v = inputs()
    tables = table(major=3, previous=table(major=2, previous=table() if behind_a_newer else None))
    Array = ExchangeArray.of(tables)
    expected = flashcore.attention(q, k, v)
    assert np.array_equal(flashcore.attention(q, Array(k), Array(v)), expected)
    assert Array.described == (2 if behind_a_newer else 0)


@pytest.mark.parametrize(
    "made", [lambda: (table(tensor_of=TensorOf()),), lambda: (table(), b"another")]
)
def test_exchange_tables_that_cannot_serve_are_passed_over(made):
    q, k, v = inputs()
    Array = ExchangeArray.of(*made())
    expected = flashcore.attention(q, k, v)
    assert np.array_equal(flashcore.attention(q, Array(k), Array(v)), expected)
    assert Array.described == 0


def test_calls_of_changing_shapes_have_workspaces_of_their_own():
    """A thread's last call tells the next one's workspace only where they are alike."""
    rng = np.random.default_rng(0)
    for sizes in ((1, 1, 8, 16), (1, 1, 8, 128), (3, 1, 8, 128), (3, 8, 8, 128), (3, 8, 900, 128)):
        q, k, v = (rng.standard_normal(sizes, dtype=np.float32) for _ in range(3))
        o = flashcore.attention(q, k, v)
        scores = q.astype(np.float64) @ k.swapaxes(2, 3) / np.sqrt(sizes[3])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        expected = weights / weights.sum(-1, keepdims=True) @ v
        assert np.abs(o - expected).max() < 1e-5


def test_a_device_that_is_not_served_is_named():
    q, k, v = inputs()
    with pytest.raises(NotImplementedError, match="k: lies on a device of DLPack's type 8"):
        flashcore.attention(q, DeviceArray(k), v)


def test_a_query_of_no_known_library_is_refused():
    q, k, v = inputs()
    with pytest.raises(TypeError, match="q: a OldArray is neither"):
        flashcore.attention(OldArray(q), k, v)


def test_an_array_whose_export_fails_fails_the_call_with_its_own_error():
    class Broken(OldArray):
        def __dlpack__(self, **keywords):
            raise BufferError("on strike")

    q, k, v = inputs()
    with pytest.raises(BufferError, match="on strike"):
        flashcore.attention(q, Broken(k), v)


def test_calls_leave_no_memory_behind():
    """In a process of its own, whose high-water mark is only its own."""
    code = """
import resource, numpy as np, flashcore
q, k, v = (np.ones((1, 8, 256, 128), np.float32) for _ in range(3))
def peak():
    for _ in range(60):
        flashcore.attention(q, k, v, return_lse=True)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
first = peak()
print(peak() + peak() - 2 * first)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 * 1024  # KiB, of 120 results of 1 MiB


def test_streams_of_every_kind_have_an_address():
    class Torch:
        cuda_stream = 11

    class Cupy:
        ptr = 12

    class CudaPython:
        def __cuda_stream__(self):
            return (0, 13)

    assert [stream_address(s) for s in (10, Torch(), Cupy(), CudaPython())] == [10, 11, 12, 13]
    with pytest.raises(TypeError, match="stream: a str"):
        stream_address("0")


@pytest.mark.parametrize("library", ["cupy", "jax"])
def test_arrays_of_other_libraries_match_numpys(library):
    xp = pytest.importorskip(
        "jax.numpy" if library == "jax" else "cupy", reason=f"{library} is not installed"
    )
    q, k, v = (x.astype(np.float16) for x in inputs())
    arrays = [xp.asarray(x) for x in (q, k, v)]
    o, lse = flashcore.attention(*arrays, mask="causal", return_lse=True)
    assert type(o) is type(lse) is type(arrays[0])
    o, lse = (np.asarray(x.get() if library == "cupy" else x) for x in (o, lse))
    expected, expected_lse = flashcore.attention(q, k, v, mask="causal", return_lse=True)
    assert np.allclose(o, expected, atol=2e-3) and np.allclose(lse, expected_lse, atol=1e-4)
