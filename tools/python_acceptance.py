#!/usr/bin/env python3
"""What the Python package must show on a GPU, in one command, with a result file.

    python3 -m pip wheel ./python --no-deps -w wheels        # where the project builds
    python3 -m pip install --no-index --no-deps --target site wheels/flashcore-*.whl
    PYTHONPATH=site python3 tools/python_acceptance.py --json results/python_acceptance.json

Needs a CUDA GPU, PyTorch, NumPy and pytest in the same Python, and this repository's python/tests
and examples. A wheel built by Python 3.12 or later serves 3.12 and later; one built by an earlier
Python serves that version alone. CuPy, JAX and transformers are used where they are installed.

  tests      python/tests, its GPU half included
  eager, compile, graph
             random calls of the drop-in against PyTorch's, and both against PyTorch's in double
             (python/tests/calls.py)
  streams    random calls from many threads at once, each on a stream of its own
  example    examples/search_docs.py with and without patch()
  timing     one call, from the host to its completion, beside PyTorch's backends, in the same
             rounds; and what Python adds to the C interface, which is called through ctypes, in
             all and layer by layer (tools/python_call_cost.py)

Exit status 1 where a step fails or a gate does not hold, 3 where there is no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib.util
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import flashcore
import flashcore.torch
from flashcore._native import binding

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "python" / "tests"))
from calls import assert_as_exact, random_call  # noqa: E402

sdpa = F.scaled_dot_product_attention
flash = flashcore.torch.scaled_dot_product_attention

BACKENDS = {
    "default": None,
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
MOST_OF_SDPA = 1 / 3
"""Of SDPA's eager time, at the mission shape."""
MOST_ADDED_US = 5.0
"""By Python to the C interface's call."""
ROUNDS = 15
CALLS_A_ROUND = 40

# batch, heads, heads_kv, seq_q, seq_kv, head_dim, causal
MISSION = (1, 8, 8, 512, 512, 64, False)
SHAPES = [
    MISSION,
    (1, 8, 8, 512, 512, 64, True),
    (1, 12, 12, 128, 128, 64, False),
    (4, 16, 16, 1024, 1024, 64, True),
    (4, 16, 16, 2048, 2048, 128, True),
    (8, 32, 8, 1, 4096, 128, False),
]


# What each call must answer


def check_call(seed: int, run: Callable[..., torch.Tensor]) -> None:
    """`run(inputs, options)` computes the drop-in's answer for the seed's call."""
    inputs, options = random_call(seed, "cuda")
    try:
        ours = run(inputs, options)
        assert_as_exact(ours, sdpa(*inputs, **options), inputs, options)
    except Exception as error:
        shapes = [tuple(x.shape) for x in inputs]
        raise AssertionError(f"seed {seed}, {shapes}, {inputs[0].dtype}, {options}") from error


def eager(inputs: Any, options: Any) -> torch.Tensor:
    return flash(*inputs, **options)


def compiled(inputs: Any, options: Any, backend: str = "aot_eager") -> torch.Tensor:
    """Traced and functionalised for each call; compiling each to the end would take an hour."""
    torch._dynamo.reset()
    call = torch.compile(
        lambda q, k, v: flash(q * 1, k, v, **options) * 1, fullgraph=True, backend=backend
    )
    return call(*inputs)


def compiled_to_the_end(inputs: Any, options: Any) -> torch.Tensor:
    return compiled(inputs, options, backend="inductor")


def replayed(inputs: Any, options: Any) -> torch.Tensor:
    """From a CUDA graph that was captured on other values."""
    values = [x.clone() for x in inputs]
    for x in inputs:
        x.zero_()
    flash(*inputs, **options)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = flash(*inputs, **options)
    for x, value in zip(inputs, values, strict=True):
        x.copy_(value)
    graph.replay()
    torch.cuda.synchronize()
    return result


def on_own_stream(inputs: Any, options: Any) -> torch.Tensor:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.no_grad():
        for _ in range(5):
            result = flash(*inputs, **options)
    stream.synchronize()
    return result


def check_calls(seeds: range, run: Callable[..., torch.Tensor], threads: int = 1) -> dict[str, Any]:
    def one(seed: int) -> None:
        with torch.no_grad():
            check_call(seed, run)

    if threads == 1:  # not on a thread of its own: PyTorch 2.11 crashes where a second one compiles
        for seed in seeds:
            one(seed)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for answer in [pool.submit(one, seed) for seed in seeds]:
                answer.result()
    return {"calls": len(seeds), "threads": threads}


def check_compiled(seeds: range) -> dict[str, Any]:
    to_the_end = seeds[:: len(seeds) // 10 or 1]
    check_calls(to_the_end, compiled_to_the_end)
    return {**check_calls(seeds, compiled), "to_the_end": len(to_the_end)}


# Other steps


def run_tests() -> dict[str, Any]:
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(ROOT / "python" / "tests")], capture_output=True, text=True, check=False
    )
    print(done.stdout[-6000:])
    if done.returncode != 0:
        raise AssertionError(f"pytest exits with {done.returncode}: {done.stderr[-2000:]}")
    skips = re.findall(r"^SKIPPED (.*)$", done.stdout, re.M)
    return {"summary": done.stdout.strip().splitlines()[-1], "skipped": skips}


def run_example() -> dict[str, Any]:
    if importlib.util.find_spec("transformers") is None:
        return {"skipped": "transformers is not installed"}
    spec = importlib.util.spec_from_file_location("search_docs", ROOT / "examples/search_docs.py")
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    options = ["how is it measured", "--untrained", "--length=512", "--device=cuda"]
    found: dict[str, Any] = example.main(options)
    assert found["difference"] < 2e-3, found
    assert found["taken"] > 0 and found["left"] == 0, found
    return found


# Times


def inputs_of(shape: tuple[Any, ...]) -> tuple[list[torch.Tensor], dict[str, Any]]:
    batch, heads, heads_kv, seq_q, seq_kv, head_dim, causal = shape
    kv = (batch, heads_kv, seq_kv, head_dim)
    sizes = [(batch, heads, seq_q, head_dim), kv, kv]
    tensors = [torch.randn(size, device="cuda", dtype=torch.float16) for size in sizes]
    return tensors, {"is_causal": causal, "enable_gqa": heads != heads_kv}


C_DTYPES = {torch.float16: 0, torch.bfloat16: 1, torch.float32: 2}


def c_interface(tensors: list[torch.Tensor], causal: bool) -> Callable[[], None]:
    """The same call straight from the C interface."""
    library = ctypes.CDLL(binding.__file__)
    q, k, v = tensors
    dtype = C_DTYPES[q.dtype]
    out = torch.empty_like(q)
    attention, execution = Attention(), Execution()
    attention.struct_size, execution.struct_size = map(ctypes.sizeof, (attention, execution))
    attention.mask.kind = binding.MASK_CAUSAL_TOP_LEFT if causal else binding.MASK_NONE
    for name, tensor in (("q", q), ("k", k), ("v", v), ("o", out)):
        strides = tensor.stride()[:3]
        setattr(attention, name, CTensor(tensor.data_ptr(), dtype, *tensor.shape, *strides))
    if q.is_cuda:
        execution.device, execution.device_index = 1, q.device.index
        execution.stream = torch.cuda.current_stream().cuda_stream
    arguments = ctypes.byref(attention), ctypes.byref(execution)
    size = ctypes.c_size_t()
    assert library.flashcore_workspace_size(*arguments, ctypes.byref(size)) == 0
    workspace = torch.empty(size.value, dtype=torch.uint8, device=q.device)
    execution.workspace, execution.workspace_bytes = workspace.data_ptr(), size.value
    forward = library.flashcore_attention_forward
    kept = (attention, execution, out, workspace)

    def call(kept: Any = kept) -> None:
        assert forward(*arguments) == 0

    return call


class CTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        *((name, ctypes.c_int64) for name in ("batch", "heads", "seq", "head_dim")),
        *((name, ctypes.c_int64) for name in ("stride_batch", "stride_head", "stride_seq")),
    ]


class CMask(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int32),
        ("use_window", ctypes.c_int32),
        ("window_left", ctypes.c_int64),
        ("window_right", ctypes.c_int64),
    ]


class CLse(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), *((f"stride_{i}", ctypes.c_int64) for i in range(3))]


class Attention(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("use_scale", ctypes.c_int32),
        ("scale", ctypes.c_float),
        ("mask", CMask),
        *((name, CTensor) for name in "qkvo"),
        ("lse", CLse),
    ]


class Execution(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("device", ctypes.c_int32),
        ("device_index", ctypes.c_int32),
        ("stream", ctypes.c_void_p),
        ("workspace", ctypes.c_void_p),
        ("workspace_bytes", ctypes.c_size_t),
        ("overlap", ctypes.c_int32),
    ]


def completion_us(call: Callable[[], Any]) -> float:
    """The median over calls from the host to completion."""
    times = []
    for _ in range(CALLS_A_ROUND):
        start = time.perf_counter_ns()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1e3


def host_us(call: Callable[[], Any]) -> float:
    """What the host spends on a call that it does not wait for."""
    torch.cuda.synchronize()
    start = time.perf_counter_ns()
    for _ in range(CALLS_A_ROUND):
        call()
    elapsed = time.perf_counter_ns() - start
    torch.cuda.synchronize()
    return elapsed / CALLS_A_ROUND / 1e3


def forced(backend: SDPBackend | None, call: Callable[[], Any]) -> Callable[[], Any] | None:
    """The call with one backend of SDPA, set once; None where that backend refuses it."""
    if backend is None:
        return call
    try:
        with sdpa_kernel(backend):
            call()
    except RuntimeError:
        return None
    return call


def contenders(shape: tuple[Any, ...]) -> dict[str, tuple[SDPBackend | None, Callable[[], Any]]]:
    tensors, options = inputs_of(shape)
    causal = options["is_causal"]
    mask = "causal_top_left" if causal else None
    out = torch.empty_like(tensors[0])
    calls: dict[str, Any] = {
        "attention": (None, lambda: flashcore.attention(*tensors, mask=mask)),
        "attention_out": (None, lambda: flashcore.attention(*tensors, mask=mask, out=out)),
        "drop_in": (None, lambda: flash(*tensors, **options)),
        "c_interface": (None, c_interface(tensors, causal)),
    }
    for name, backend in BACKENDS.items():
        if call := forced(backend, lambda: sdpa(*tensors, **options)):
            calls[f"sdpa_{name}"] = (backend, call)
    return calls


def time_shape(shape: tuple[Any, ...]) -> dict[str, Any]:
    calls = contenders(shape)
    times: dict[str, dict[str, list[float]]] = {
        name: {"completion_us": [], "host_us": []} for name in calls
    }
    for _ in range(ROUNDS + 1):
        for name, (backend, call) in calls.items():
            with sdpa_kernel(backend) if backend else contextlib.nullcontext():
                times[name]["completion_us"].append(completion_us(call))
                times[name]["host_us"].append(host_us(call))
    names = ("batch", "heads", "heads_kv", "seq_q", "seq_kv", "head_dim", "causal")
    medians = {
        name: {what: round(statistics.median(rounds[1:]), 2) for what, rounds in each.items()}
        for name, each in times.items()
    }
    calls["drop_in"][1]()
    choice = flashcore.last_choice()
    return {
        "shape": dict(zip(names, shape, strict=True)),
        "dtype": "fp16",
        "served_by": {"family": choice.family, "config": choice.config, "reason": choice.reason},
        "times": medians,
    }


def run_timing() -> dict[str, Any]:
    with torch.no_grad():
        rows = [time_shape(shape) for shape in SHAPES]
    print_table(rows)
    mission = rows[0]["times"]
    ratio = mission["drop_in"]["completion_us"] / mission["sdpa_default"]["completion_us"]
    gates = [{"gate": "drop_in / sdpa_default, eager, mission shape", "value": round(ratio, 3),
              "limit": round(MOST_OF_SDPA, 3), "holds": ratio <= MOST_OF_SDPA}]  # fmt: skip
    version = ctypes.CDLL(binding.__file__).flashcore_version
    ctypes_us = min(host_us(version) for _ in range(ROUNDS))  # is no part of the C interface's call
    for name in ("attention", "drop_in"):
        added = mission[name]["host_us"] - (mission["c_interface"]["host_us"] - ctypes_us)
        gates.append({"gate": f"{name} adds to the C interface, us, mission shape",
                      "value": round(added, 2), "limit": MOST_ADDED_US,
                      "holds": added <= MOST_ADDED_US})  # fmt: skip
    for gate in gates:
        print(f"{'holds' if gate['holds'] else 'FAILS'}: {gate}")
    import python_call_cost  # which takes c_interface from here

    layers = python_call_cost.call_costs("cuda")
    python_call_cost.print_costs(layers)
    return {"rows": rows, "ctypes_us": round(ctypes_us, 2), "layers_ns": layers, "gates": gates}


def print_table(rows: list[dict[str, Any]]) -> None:
    names = list(rows[0]["times"])
    print("completion (host) us".ljust(48), *(name.rjust(16) for name in names))
    for row in rows:
        cells = []
        for name in names:
            times = row["times"].get(name)
            both = "{completion_us:.1f} ({host_us:.1f})"
            cells.append(("-" if times is None else both.format(**times)).rjust(16))
        print(" ".join(f"{k}={v}" for k, v in row["shape"].items())[:48].ljust(48), *cells)


# The whole


def provenance() -> dict[str, Any]:
    checkout = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    info = flashcore.info()
    return {
        "checkout": checkout or None,  # of the tests that ran
        "flashcore": {
            "version": flashcore.__version__,
            "commit": info["commit"],
            "file": flashcore.__file__,
        },
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: info[name] for name in ("gpus", "driver", "nvrtc", "packs", "tuned")},
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "environment": {k: v for k, v in os.environ.items() if k.startswith("FLASHCORE_")},
    }


def run_step(name: str, step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    print(f"== {name}", flush=True)
    start = time.perf_counter()
    try:
        result = {"passed": True, **step()}
        result["passed"] = all(gate["holds"] for gate in result.get("gates", []))
    except Exception as error:
        text = io.StringIO()
        traceback.print_exc(file=text)
        print(text.getvalue())
        result = {"passed": False, "error": f"{type(error).__name__}: {error}"}
    result["seconds"] = round(time.perf_counter() - start, 1)
    print(f"{'passed' if result['passed'] else 'FAILED'} in {result['seconds']} s\n", flush=True)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="where to write the results")
    parser.add_argument("--calls", type=int, default=400, help="random eager calls")
    parser.add_argument("--seed", type=int, default=10_000, help="of the first random call")
    steps = ["tests", "eager", "compile", "graph", "streams", "example", "timing"]
    parser.add_argument("--only", choices=steps, nargs="+", default=steps, metavar="STEP")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("error: torch finds no CUDA GPU here", file=sys.stderr)
        return 3

    def seeds(part: int) -> range:
        return range(options.seed, options.seed + max(options.calls // part, 1))

    work: dict[str, Callable[[], dict[str, Any]]] = {
        "tests": run_tests,
        "eager": lambda: check_calls(seeds(1), eager),
        "compile": lambda: check_compiled(seeds(2)),
        "graph": lambda: check_calls(seeds(2), replayed),
        "streams": lambda: check_calls(seeds(2), on_own_stream, threads=16),
        "example": run_example,
        "timing": run_timing,
    }
    result: dict[str, Any] = {"provenance": provenance(), "steps": {}}
    for name in options.only:
        result["steps"][name] = run_step(name, work[name])
    result["passed"] = all(step["passed"] for step in result["steps"].values())
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{'passed' if result['passed'] else 'FAILED'}; {options.json}")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
