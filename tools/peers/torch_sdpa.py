"""PyTorch's scaled_dot_product_attention as a peer of the benchmark.

Started by `flashcore bench --peers torch`. Stays up and answers JSON lines on standard input with
JSON lines on standard output:

  {"do": "hello"}                     version, cuda, device
  {"do": "prepare", "problem": {...}, "device": "cpu" | "cuda", "ordinal", "threads", "seed",
   "sets", "launches", "backends": [NAME]}
                                      backends: [{name, not_measured}]; on a GPU also
                                      ceilings: {matmul_tflops, copy_gb_per_s}
  {"do": "measure", "backend": NAME}  cold_us, warm_us, eager_us
  {"do": "quit"}

Every answer has "ok"; where it is false, "error" says why. What is measured is what FlashCore
measures of itself (docs/benchmark.md): on a GPU, CUDA graphs of `launches` calls over `sets` buffer
sets (cold) and over one (warm), and one call from the host to its completion (eager), each backend
forced and none falling back to another; on the CPU the wall time of a call.
"""

import json
import math
import os
import statistics
import sys
import time

MOST_WARM_LAUNCHES = 50
GRAPH_US = 1e4
SLOW_CALL_US = 5e4
LONG_CALL_US = 1e3
CPU_ROUND_US = 20e3
MOST_CPU_CALLS = 50
EAGER_CALLS = 5
DISTINCT_INPUTS = 4

GPU_BACKENDS = {
    "flash": "FLASH_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
}


def dtypes(torch):
    return {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


class NotMeasured(Exception):
    """Why a peer does not serve a Problem."""


def median(times):
    return statistics.median(times)


class Inputs:
    """Buffer sets of one Problem. Few distinct inputs fill them, as on FlashCore's side."""

    def __init__(self, torch, request, device):
        problem = request["problem"]
        dtype = dtypes(torch)
        generator = torch.Generator(device).manual_seed(request["seed"])

        def filled(heads, seq):
            shape = (problem["batch"], heads, seq, problem["head_dim"])
            drawn = min(DISTINCT_INPUTS, request["sets"])
            distinct = torch.stack([torch.randn(shape, generator=generator, device=device)
                                    for _ in range(drawn)]).to(dtype[problem["dtype"]])
            return distinct[torch.arange(request["sets"], device=device) % drawn].contiguous()

        self.q = filled(problem["heads_q"], problem["seq_q"])
        self.k = filled(problem["heads_kv"], problem["seq_kv"])
        self.v = filled(problem["heads_kv"], problem["seq_kv"])
        self.sets = request["sets"]
        self.options = {
            "is_causal": problem["mask"]["kind"] != "none",
            "enable_gqa": problem["heads_q"] != problem["heads_kv"],
        }

    def call(self, torch, index):
        return torch.nn.functional.scaled_dot_product_attention(
            self.q[index], self.k[index], self.v[index], **self.options)


def check_supported(problem):
    """SDPA's is_causal counts from the top left and it has no windows."""
    mask = problem["mask"]
    if mask["window_left"] >= 0 or mask["window_right"] >= 0:
        raise NotMeasured("SDPA has no sliding window")
    if mask["kind"] == "causal_bottom_right" and problem["seq_q"] != problem["seq_kv"]:
        raise NotMeasured("SDPA's causal mask is top-left, which differs at unequal lengths")
    if problem["seq_kv"] == 0:
        raise NotMeasured("there are no keys")


class CpuBackend:
    """The default SDPA on the CPU, with as many threads as FlashCore uses."""

    name = "cpu"

    def __init__(self, torch, request):
        torch.set_num_threads(request["threads"])
        self.torch = torch
        self.inputs = Inputs(torch, request, "cpu")
        self.next_set = 0
        self.time_call(0)
        call_us = self.time_call(0)
        self.calls = int(min(max(CPU_ROUND_US / call_us, 1), MOST_CPU_CALLS))

    def time_call(self, index):
        start = time.perf_counter_ns()
        self.inputs.call(self.torch, index)
        return (time.perf_counter_ns() - start) / 1e3

    def cold_call(self):
        self.next_set = (self.next_set + 1) % self.inputs.sets
        return self.time_call(self.next_set)

    def measure(self):
        self.time_call(0)  # takes back the caches and the threads from whoever was measured before
        cold = median([self.cold_call() for _ in range(self.calls)])
        self.time_call(0)
        warm = median([self.time_call(0) for _ in range(self.calls)])
        return {"cold_us": cold, "warm_us": warm, "eager_us": warm}


class GpuBackend:
    """One of SDPA's GPU backends, forced: where it cannot serve the Problem, it raises."""

    def __init__(self, torch, request, name, inputs):
        from torch.nn.attention import SDPBackend, sdpa_kernel

        self.name = name
        self.torch = torch
        self.inputs = inputs
        self.forced = lambda: sdpa_kernel(getattr(SDPBackend, GPU_BACKENDS[name]))
        self.stream = torch.cuda.Stream()
        self.start = torch.cuda.Event(enable_timing=True)
        self.stop = torch.cuda.Event(enable_timing=True)
        call_us = self.probe()
        self.eager_calls = 1 if call_us > LONG_CALL_US else EAGER_CALLS
        self.launches = self.affordable_launches(request, call_us)
        self.warm_launches = min(self.launches, MOST_WARM_LAUNCHES)
        self.cold = self.capture(inputs.sets, self.launches)
        # One set is larger than L2: the warm graph would be the cold one.
        self.warm = self.capture(1, self.warm_launches) if inputs.sets > 1 else None

    def affordable_launches(self, request, call_us):
        """FlashCore's launches, or where it is so slow that they are few, as many as it would use
        at this speed: whole turns through the sets, some 10 ms."""
        sets = self.inputs.sets
        least = 2 if call_us < SLOW_CALL_US else 1
        wanted = max(least, min(MOST_WARM_LAUNCHES, int(GRAPH_US / max(call_us, 0.1))))
        return max(request["launches"], sets * math.ceil(wanted / sets))

    def probe(self):
        """Loads and warms up whatever the backend needs; one call's time, roughly."""
        torch = self.torch
        with self.forced(), torch.cuda.stream(self.stream):
            for index in range(min(3, self.inputs.sets)):
                self.inputs.call(torch, index)
            self.start.record(self.stream)
            self.inputs.call(torch, 0)
            self.stop.record(self.stream)
        self.stop.synchronize()
        return self.start.elapsed_time(self.stop) * 1e3

    def capture(self, sets, launches):
        """A graph of calls over the first `sets` buffer sets. An output is kept until its set is used
        again, so that outputs rotate as the inputs do."""
        torch = self.torch
        graph = torch.cuda.CUDAGraph()
        outputs = [None] * sets
        torch.cuda.synchronize()
        with self.forced(), torch.cuda.graph(graph, stream=self.stream):
            for launch in range(launches):
                outputs[launch % sets] = None
                outputs[launch % sets] = self.inputs.call(torch, launch % sets)
        torch.cuda.synchronize()
        return graph

    def time_graph(self, graph):
        """Of the second of two launches: the first brings the clocks up and, warm, the caches."""
        with self.torch.cuda.stream(self.stream):
            graph.replay()
            self.start.record(self.stream)
            graph.replay()
            self.stop.record(self.stream)
        self.stop.synchronize()
        return self.start.elapsed_time(self.stop) * 1e3

    def time_eager(self):
        start = time.perf_counter_ns()
        self.inputs.call(self.torch, 0)
        self.torch.cuda.synchronize()
        return (time.perf_counter_ns() - start) / 1e3

    def measure(self):
        cold = self.time_graph(self.cold) / self.launches
        warm = self.time_graph(self.warm) / self.warm_launches if self.warm else cold
        with self.forced():
            self.time_eager()
            eager = median([self.time_eager() for _ in range(self.eager_calls)])
        self.torch.cuda.synchronize()
        return {"cold_us": cold, "warm_us": warm, "eager_us": eager}


class Ceilings:
    """What a matrix product and a copy reach: the roofline as measured, once for each dtype."""

    SIZE = 8192
    BYTES = 1 << 30
    REPEATS = 10

    def __init__(self):
        self.by_dtype = {}

    def measured(self, torch, dtype):
        if dtype not in self.by_dtype:
            a, b = (torch.randn(self.SIZE, self.SIZE, device="cuda", dtype=dtype) for _ in range(2))
            product = torch.empty_like(a)
            source = torch.zeros(self.BYTES, device="cuda", dtype=torch.uint8)
            copy = torch.empty_like(source)
            matmul_s = self.seconds(torch, lambda: torch.matmul(a, b, out=product))
            copy_s = self.seconds(torch, lambda: copy.copy_(source))
            self.by_dtype[dtype] = {"matmul_tflops": 2 * self.SIZE**3 / matmul_s / 1e12,
                                    "copy_gb_per_s": 2 * self.BYTES / copy_s / 1e9}
        return self.by_dtype[dtype]

    def seconds(self, torch, work):
        """The median of calls timed one by one, the first two left out."""
        times = []
        for _ in range(self.REPEATS + 2):
            start = torch.cuda.Event(enable_timing=True)
            stop = torch.cuda.Event(enable_timing=True)
            start.record()
            work()
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop) / 1e3)
        return median(times[2:])


class Peer:
    """Answers requests. Holds the backends of the Problem that was prepared last."""

    def __init__(self):
        self.torch = None
        self.backends = {}
        self.ceilings = Ceilings()

    def hello(self, _request):
        try:
            import torch
        except Exception as error:  # a broken installation raises more than ImportError
            raise NotMeasured(f"PyTorch cannot be imported by {sys.executable}: {error}") from error
        self.torch = torch
        torch.set_grad_enabled(False)
        cuda = torch.cuda.is_available()
        return {
            "version": torch.__version__,
            "cuda": cuda,
            "device": torch.cuda.get_device_name(0) if cuda else None,
        }

    def prepare(self, request):
        self.backends = {}
        names = request["backends"]
        why = dict.fromkeys(names, "")
        try:
            check_supported(request["problem"])
            make = self.makers(request)
        except NotMeasured as reason:
            return {"backends": [{"name": n, "not_measured": str(reason)} for n in names]}
        for name in names:
            try:
                self.backends[name] = make[name]()
            except Exception as error:
                why[name] = str(error).strip().splitlines()[0] if str(error) else repr(error)
        answer = {"backends": [{"name": n, "not_measured": why[n]} for n in names]}
        if request["device"] == "cuda":
            answer["ceilings"] = self.measured_ceilings(request["problem"]["dtype"])
        return answer

    def measured_ceilings(self, dtype):
        """None where the GPU has no memory left for them."""
        try:
            ceilings = self.ceilings.measured(self.torch, dtypes(self.torch)[dtype])
            self.torch.cuda.empty_cache()
            return ceilings
        except Exception:
            return None

    def makers(self, request):
        """By name, what makes a backend for the Problem."""
        torch = self.torch
        if request["device"] == "cpu":
            return {"cpu": lambda: CpuBackend(torch, request)}
        if not torch.cuda.is_available():
            raise NotMeasured(f"PyTorch {torch.__version__} sees no GPU")
        if request["problem"]["dtype"] == "fp32":
            raise NotMeasured("the GPU is measured in fp16 and bf16")
        torch.cuda.empty_cache()
        torch.cuda.set_device(request["ordinal"])
        inputs = Inputs(torch, request, "cuda")
        return {name: lambda name=name: GpuBackend(torch, request, name, inputs)
                for name in GPU_BACKENDS}

    def measure(self, request):
        backend = self.backends.get(request["backend"])
        if backend is None:
            raise NotMeasured(f"{request['backend']} is not prepared")
        return backend.measure()

    def answer(self, request):
        handlers = {"hello": self.hello, "prepare": self.prepare, "measure": self.measure}
        try:
            return {"ok": True, **handlers[request["do"]](request)}
        except NotMeasured as reason:
            return {"ok": False, "error": str(reason)}
        except Exception as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def main():
    # Libraries print to standard output; the answers go where only this script writes.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        answers.write(json.dumps(peer.answer(request)) + "\n")


if __name__ == "__main__":
    main()
