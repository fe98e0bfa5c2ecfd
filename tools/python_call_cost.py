#!/usr/bin/env python3
"""What a call from Python costs the host, layer by layer, over the C interface.

    python3 tools/python_call_cost.py [--device cuda] [--json FILE]

All layers are timed in turns, in one process, so that a busy machine slows them alike; a layer's
time is the smallest of its turns on the CPU, and their median on a GPU, whose queue takes part. On
the CPU the call is the smallest there is, one query and one key of eight numbers. Needs PyTorch and
the installed package.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import flashcore
import flashcore.torch as drop_in
from flashcore import _attention
from flashcore._native import binding

sys.path.insert(0, str(Path(__file__).parent))
from python_acceptance import c_interface

TURNS = 60
CALLS_A_TURN = {"cpu": 500, "cuda": 40}
SHAPE = {"cpu": ((1, 1, 1, 8), torch.float32), "cuda": ((1, 8, 512, 64), torch.float16)}

Layers = dict[str, Callable[[], Any]]


def layers_of(device: str) -> Layers:
    shape, dtype = SHAPE[device]
    q, k, v, out = (torch.randn(shape, device=device, dtype=dtype) for _ in range(4))
    kind = drop_in._WatchedKind(torch)
    library, watched = drop_in._dispatched, drop_in._watched
    options = _attention._options(None, None, "bhsd")
    quick = getattr(kind, f"empty_strided_{device}")
    sizes, strides = tuple(q.shape), q.stride()
    forward, attention = binding.forward, flashcore.attention
    version = ctypes.CDLL(binding.__file__).flashcore_version

    def watch() -> None:
        for watcher in kind.watchers:
            watcher()

    layers: Layers = {
        "an empty function": lambda: None,
        "ctypes, an empty call": lambda: version(),
        "C interface, through ctypes": c_interface([q, k, v], False),
        "binding, an empty call": lambda: binding.version(),
        "binding, out given": lambda: forward(library, options, q, k, v, None, out, False),
        "binding": lambda: forward(library, options, q, k, v, None, None, False),
        "binding, asking who watches": lambda: forward(
            watched, options, q, k, v, None, None, False
        ),
        "attention, out given": lambda: attention(q, k, v, out=out),
        "attention": lambda: attention(q, k, v),
        "drop-in": lambda: drop_in.scaled_dot_product_attention(q, k, v),
        "part: watchers, from Python": watch,
        "part: torch.empty_like, and free": lambda: torch.empty_like(q),
        "part: PyTorch's quick allocation, and free": lambda: quick(sizes, strides, dtype),
    }
    if device == "cuda":
        layers["part: torch.cuda.current_stream"] = lambda: (
            torch.cuda.current_stream(q.device).cuda_stream
        )
    return layers


def call_costs(device: str) -> dict[str, float]:
    """Nanoseconds a call of each layer, until it returns."""
    layers = layers_of(device)
    calls = CALLS_A_TURN[device]
    times: dict[str, list[float]] = {name: [] for name in layers}
    with torch.no_grad():
        for _ in range(TURNS):
            for name, call in layers.items():
                if device == "cuda":
                    torch.cuda.synchronize()
                start = time.perf_counter_ns()
                for _ in range(calls):
                    call()
                times[name].append((time.perf_counter_ns() - start) / calls)
    settled = min if device == "cpu" else statistics.median
    nothing = settled(times.pop("an empty function"))
    return {name: max(settled(each) - nothing, 0.0) for name, each in times.items()}


def added(costs: dict[str, float]) -> dict[str, float]:
    """What each way in adds to the C interface's call; ctypes is no part of that."""
    c_call = costs["C interface, through ctypes"] - costs["ctypes, an empty call"]
    ways = ("binding, out given", "binding", "attention, out given", "attention", "drop-in")
    return {name: costs[name] - c_call for name in ways}


def print_costs(costs: dict[str, float]) -> None:
    more = added(costs)
    print("ns".rjust(49), "over the C interface".rjust(21))
    for name, cost in costs.items():
        print(name.ljust(43), f"{cost:5.0f}", f"{more[name]:+20.0f}" if name in more else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", type=Path, help="where to write the results")
    options = parser.parse_args()
    costs = call_costs(options.device)
    print_costs(costs)
    if options.json:
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        result = {"device": options.device, **versions, "ns": costs, "added_ns": added(costs)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
