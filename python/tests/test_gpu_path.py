"""A call's way to a GPU, on a driver that computes nothing: streams, workspace, devices, fork.

The driver is the C++ tests' (tests/cuda/fake). Each test runs in a process of its own, because a
process loads one driver.
"""

import os
import subprocess
import sys
import textwrap

import pytest

FAKE = os.environ.get("FLASHCORE_FAKE_LIBCUDA", "")
HERE = os.path.dirname(__file__)

pytestmark = pytest.mark.skipif(
    not os.path.exists(FAKE),
    reason="FLASHCORE_FAKE_LIBCUDA does not name the C++ tests' driver (tools/test_python.sh does)",
)

PRELUDE = """
import ctypes, os
from types import SimpleNamespace
import numpy as np
import flashcore
import exchange
from exchange import ExchangeArray
from flashcore._native import binding

fake = ctypes.CDLL(os.environ["FLASHCORE_LIBCUDA"])
fake.fake_launch_stream.restype = ctypes.c_void_p
def calls(name): return fake.fake_call_count(name.encode())

class CudaArray:
    '''Host memory that says it is a GPU's, which the driver believes.'''
    asked_streams = []

    def __init__(self, array, index=0):
        self.array, self.device, self.shape = array, index, array.shape

    def __dlpack_device__(self):
        return (2, self.device)

    def __dlpack__(self, *, stream=None, max_version=None):
        self.asked_streams.append(stream)
        capsule = self.array.__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        device = (ctypes.c_int32 * 2).from_address(pointer(capsule, b"dltensor") + 8)
        device[:] = 2, self.device
        return capsule

    def __array_namespace__(self):
        return Namespace

class Namespace:
    '''An array library that shows no streams, as JAX.'''
    float32, uint8 = np.float32, np.uint8
    allocated = []

    def empty_like(q):
        return CudaArray(np.zeros_like(q.array), q.device)

    def empty(shape, *, dtype, device):
        room = np.zeros(np.prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8)
        start = -room.ctypes.data % 64
        array = room[start : room.size - 64 + start].view(dtype).reshape(shape)
        Namespace.allocated.append(array.size)
        return CudaArray(array, device)

def draw(heads=8, seq=512, index=0):
    return CudaArray(np.zeros((1, heads, seq, 64), np.float16), index)

def library(**attributes):
    '''What flashcore._kinds.Kind says of a library, but for these.'''
    allocate = lambda q, size: Namespace.empty(size, dtype=np.uint8, device=q.device)
    lse = lambda q, shape: Namespace.empty(shape, dtype=np.float32, device=q.device)
    kind = dict(waits=False, current_stream=None, empty_like=Namespace.empty_like, lse=lse,
                workspace=allocate, grad_enabled=None, watchers=(), plain_types=(), dtypes=(),
                byte=None, empty_strided_cpu=None, empty_strided_cuda=None,
                current_device=None)
    return binding.ArrayLibrary(SimpleNamespace(**{**kind, **attributes}))

PLAIN = binding.Options(binding.MASK_NONE, -1, -1, False, True)
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "FLASHCORE_LIBCUDA": FAKE,
            "FLASHCORE_TUNED": "",
            "PYTHONPATH": os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")]),
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_call_launches_on_the_stream_that_its_library_names():
    run("""
    q, k, v, out = draw(), draw(), draw(), draw()
    named = library(current_stream=lambda q: 0x1234)
    binding.forward(named, PLAIN, q, k, v, None, out, False)
    assert calls("cuGraphLaunch") >= 1 and fake.fake_launch_stream() == 0x1234
    assert set(CudaArray.asked_streams) == {0x1234}
    assert calls("cuCtxSynchronize") == calls("cuStreamSynchronize") == 0
    CudaArray.asked_streams.clear()
    binding.forward(library(current_stream=lambda q: 0), PLAIN, q, k, v, None, out, False)
    assert fake.fake_launch_stream() is None and set(CudaArray.asked_streams) == {1}
    """)


def test_a_call_launches_on_the_stream_that_an_exchange_table_names():
    run("""
    Array = ExchangeArray.of(exchange.table())
    for index, stream in enumerate(exchange.STREAMS):
        zeros = [np.zeros((1, 8, 512, 64), np.float16) for _ in range(4)]
        q, k, v, out = (Array(x, (exchange.CUDA, index)) for x in zeros)
        assert binding.forward(library(), PLAIN, q, k, v, None, out, False) is out
        assert fake.fake_launch_stream() == stream
    # What the library's own function names comes first.
    binding.forward(library(current_stream=lambda q: 0x77), PLAIN, q, k, v, None, out, False)
    assert fake.fake_launch_stream() == 0x77
    """)


def test_results_and_workspaces_are_made_quickly_on_the_current_gpu_alone():
    """PyTorch's quick way knows no other, and would start a context on the wrong one."""
    run("""
    Array = ExchangeArray.of(exchange.table())
    quick, slow = [], []
    def make(made, sizes, dtype):
        made.append(sizes)
        room = np.zeros(int(np.prod(sizes)) * np.dtype(dtype).itemsize + 64, np.uint8)
        start = -room.ctypes.data % 64
        array = room[start : room.size - 64 + start].view(dtype).reshape(sizes)
        return Array(array, (exchange.CUDA, 0 if made is quick else 1))
    def empty_strided(sizes, strides, dtype):
        assert strides == {4: (64, 64, 64, 1), 1: (1,)}[len(sizes)]
        return make(quick, sizes, {"half": np.float16, "byte": np.uint8}[dtype])
    found = library(empty_strided_cuda=empty_strided, current_device=lambda: 0,
                    empty_like=lambda q: make(slow, q.shape, np.float16),
                    workspace=lambda q, bytes: make(slow, (bytes,), np.uint8),
                    plain_types=(Array,), dtypes=("half", "bfloat", "single"), byte="byte")
    one, many = (np.zeros((1, 1, seq, 64), np.float16) for seq in (1, 65536))
    for index in (0, 1):
        q, k, v = (Array(x, (exchange.CUDA, index)) for x in (one, many, many))
        out = binding.forward(found, PLAIN, q, k, v, None, None, False)
        assert out.device == (exchange.CUDA, index)
    assert quick == slow and quick[0] == (1, 1, 1, 64) and quick[1][0] > 0
    """)


def test_watched_calls_and_those_that_want_grad_do_nothing():
    run("""
    class Grad(CudaArray):
        requires_grad = True
    x, grad = draw(), Grad(np.zeros((1, 8, 512, 64), np.float16))
    answers = dict(first=False, second=False)
    watchers = tuple(lambda name=name: answers[name] for name in answers)
    found = library(watchers=watchers, plain_types=(CudaArray, Grad), grad_enabled=lambda: True)
    forward = lambda *arrays: binding.forward(found, PLAIN, *arrays, None, None, False)
    assert forward(x, x, x) is not None and calls("cuGraphLaunch") == 1
    for name in answers:
        answers[name] = True
        assert forward(x, x, x) is None
        answers[name] = False
    for arrays in ((grad, x, x), (x, grad, x), (x, x, grad)):
        assert forward(*arrays) is None
        try:
            binding.forward(library(grad_enabled=lambda: True), PLAIN, *arrays, None, None, False)
        except NotImplementedError as error:
            assert str(error) == binding.NO_BACKWARD
        else:
            raise AssertionError
    class Other(CudaArray):
        pass
    other = Other(np.zeros((1, 8, 512, 64), np.float16))
    for arrays in ((other, x, x), (x, other, x), (x, x, other)):
        assert forward(*arrays) is None
    assert calls("cuGraphLaunch") == 1 and forward(x, x, x) is not None
    """)


def test_each_call_has_the_workspace_of_its_own_problem():
    """The size is remembered from a thread's last call, for one that is alike."""
    run("""
    def solve(heads, seq_q, seq_kv, **options):
        Namespace.allocated.clear()
        flashcore.attention(draw(heads, seq_q), draw(heads, seq_kv), draw(heads, seq_kv), **options)
        return list(Namespace.allocated)
    # One query over many keys is split over blocks, which meet in the workspace.
    problems = (8, 512, 512), (1, 1, 32768), (1, 1, 65536), (2, 1, 65536), (1, 2, 32768)
    first = [solve(*problem) for problem in problems]
    assert first[0] == [] and len(set(map(tuple, first))) > 2
    for problem, sizes in zip(problems, first):
        assert solve(*problem) == solve(*problem) == sizes
    """)


def test_a_library_without_streams_is_waited_for():
    run("""
    flashcore.attention(draw(), draw(), draw())
    assert calls("cuCtxSynchronize") == 1
    assert fake.fake_launch_stream() is None and set(CudaArray.asked_streams) == {1}
    assert flashcore.last_choice().backend == "cuda"
    """)


def test_a_workspace_comes_from_the_arrays_own_library():
    run("""
    # One query over many keys is split over blocks, which meet in the workspace.
    q, k, v = draw(heads=1, seq=1), draw(heads=1, seq=65536), draw(heads=1, seq=65536)
    o, lse = flashcore.attention(q, k, v, return_lse=True)
    assert lse.shape == (1, 1, 1)
    assert calls("cuMemAlloc") == 0
    print(Namespace.allocated, flashcore.last_choice())
    assert len(Namespace.allocated) == 2, Namespace.allocated  # the LSE and the workspace
    """)


def test_a_repeated_call_loads_and_allocates_nothing():
    run("""
    q, k, v, out = draw(), draw(), draw(), draw()
    flashcore.attention(q, k, v, out=out)
    names = ["cuModuleLoadData", "cuMemAlloc", "cuDevicePrimaryCtxRetain"]
    before = [calls(name) for name in names]
    flashcore.attention(q, k, v, out=out)
    assert [calls(name) for name in names] == before
    """)


def test_the_arrays_device_computes_and_two_devices_do_not_meet():
    run("""
    flashcore.attention(draw(index=1), draw(index=1), draw(index=1))
    assert calls("cuDevicePrimaryCtxRetain") == 1
    for arrays, message in (
        ((draw(index=0), draw(index=1), draw(index=0)), "k: is on cuda:1, q is on cuda:0"),
        ((draw(), draw(), np.zeros((1, 8, 512, 64), np.float16)), "v: is on cpu:0, q is on cuda:0"),
    ):
        try:
            flashcore.attention(*arrays)
        except ValueError as error:
            assert str(error) == message, error
        else:
            raise AssertionError(message)
    """)


def test_a_device_that_is_not_there_is_named():
    run("""
    try:
        flashcore.attention(draw(index=7), draw(index=7), draw(index=7))
    except RuntimeError as error:
        assert "GPU 7" in str(error), error
    else:
        raise AssertionError
    """)


@pytest.mark.parametrize("used", [True, False])
def test_a_forked_child_uses_cuda_only_where_its_parent_did_not(used):
    run(f"""
    arrays = draw(), draw(), draw()
    if {used}:
        flashcore.attention(*arrays)
    child = os.fork()
    if child == 0:
        try:
            flashcore.attention(*arrays)
            os._exit(0)
        except RuntimeError as error:
            os._exit(7 if "spawn" in str(error) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == (7 if {used} else 0), code
    """)


def test_a_driver_that_fails_in_a_forked_child_is_explained():
    """Where another library had started the driver before the fork."""
    run("""
    os.environ["FLASHCORE_LIBCUDA"] = "/nowhere/libcuda.so"
    child = os.fork()
    if child == 0:
        try:
            flashcore.attention(draw(), draw(), draw())
        except RuntimeError as error:
            os._exit(7 if "/nowhere" in str(error) and "spawn" in str(error) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    """)
