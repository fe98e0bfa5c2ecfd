"""attention, supports and last_choice on NumPy's arrays and torch's tensors."""

import numpy as np
import pytest

import flashcore
from problems import Problem, oracle, random_inputs, random_problem

SMALL = Problem(1, 4, 2, 33, 33, 64)


def inputs(problem=SMALL, seed=0, dtype=np.float32):
    return random_inputs(problem, np.random.default_rng(seed), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("seed", range(60))
def test_random_problems_on_numpy_match_the_oracle(dtype, seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    q, k, v = random_inputs(problem, rng, dtype)
    o, lse = flashcore.attention(q, k, v, return_lse=True, **problem.options)
    assert isinstance(o, np.ndarray) and o.dtype == dtype and lse.dtype == np.float32
    oracle(problem, q, k, v).check(o, dtype, lse)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(60))
def test_random_problems_on_torch_match_the_oracle(torch, device, dtype, seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    q, k, v = (
        torch.from_numpy(x).to(device, getattr(torch, dtype)) for x in random_inputs(problem, rng)
    )
    o, lse = flashcore.attention(q, k, v, return_lse=True, **problem.options)
    assert type(o) is torch.Tensor and o.dtype == q.dtype and o.device == q.device
    exact = oracle(problem, *(x.double().cpu() for x in (q, k, v)))
    exact.check(o.double().cpu(), dtype, lse.cpu())
    assert flashcore.last_choice().backend == device


def test_inputs_are_not_copied_and_not_changed():
    q, k, v = inputs()
    before = [x.copy() for x in (q, k, v)]
    for x in (q, k, v):
        x.flags.writeable = False  # a library that needs to write would fail on these
    flashcore.attention(q, k, v)
    for x, copy in zip((q, k, v), before, strict=True):
        assert np.array_equal(x, copy)


def test_out_is_written_and_returned():
    q, k, v = inputs()
    out = np.full_like(q, np.nan)
    assert flashcore.attention(q, k, v, out=out) is out
    assert np.array_equal(out, flashcore.attention(q, k, v))


def test_the_result_keeps_the_order_of_memory_of_the_query():
    q, k, v = (x.transpose(0, 2, 1, 3) for x in inputs(Problem(2, 4, 4, 9, 9, 32, layout="bshd")))
    o = flashcore.attention(q, k, v)
    assert o.strides == q.strides
    exact = oracle(Problem(2, 4, 4, 9, 9, 32), q, k, v)
    exact.check(o, "float32")


def test_a_key_that_is_expanded_over_the_batch_is_read_in_place():
    q, k, v = inputs()
    q = np.concatenate([q, -q])
    wide = [np.broadcast_to(x, (2, *x.shape[1:])) for x in (k, v)]
    problem = Problem(2, 4, 2, 33, 33, 64)
    oracle(problem, q, *wide).check(flashcore.attention(q, *wide), "float32")


def test_causal_is_both_alignments_at_equal_lengths_and_neither_at_others():
    q, k, v = inputs()
    both = [flashcore.attention(q, k, v, mask=f"causal_{x}") for x in ("top_left", "bottom_right")]
    assert np.array_equal(*both)
    assert np.array_equal(flashcore.attention(q, k, v, mask="causal"), both[0])
    with pytest.raises(ValueError, match=r"seq 33 differs from k: seq 8"):
        flashcore.attention(q, k[:, :, :8], v[:, :, :8], mask="causal")


def test_numpy_and_torch_may_meet_on_the_cpu(torch):
    q, k, v = inputs()
    o = flashcore.attention(torch.from_numpy(q), k, v)
    assert isinstance(o, torch.Tensor)
    assert np.array_equal(o.numpy(), flashcore.attention(q, k, v))


def changed(**changes):
    """A call of inputs() with some arguments replaced by functions of themselves."""
    q, k, v = inputs()
    arrays = {"q": q, "k": k, "v": v}
    for name in [name for name in changes if name in arrays]:
        arrays[name] = changes.pop(name)(arrays[name])
    return flashcore.attention(**arrays, **changes)


@pytest.mark.parametrize(
    ("error", "message", "changes"),
    [
        (TypeError, "q: a list", {"q": lambda x: x.tolist()}),
        (TypeError, "k: a list", {"k": lambda x: x.tolist()}),
        (TypeError, "q: dtype float64", {"q": lambda x: x.astype(np.float64)}),
        (TypeError, "v: dtype int32", {"v": lambda x: x.astype(np.int32)}),
        (ValueError, "k: dtype fp16 differs", {"k": lambda x: x.astype(np.float16)}),
        (ValueError, "q: has 3 dimensions", {"q": lambda x: x[0]}),
        (ValueError, "k: has 2 dimensions", {"k": lambda x: x[0, 0]}),
        (ValueError, "v: seq 32 differs from k: seq 33", {"v": lambda x: x[:, :, 1:]}),
        (ValueError, "k: head_dim 32 differs from q: head_dim 64", {"k": lambda x: x[..., :32]}),
        (ValueError, "q: heads 3 is not a multiple of k: heads 2", {"q": lambda x: x[:, :3]}),
        (ValueError, "last dimension has stride 2", {"q": lambda x: np.repeat(x, 2, 3)[..., ::2]}),
        (ValueError, "q: stride_seq is -64", {"q": lambda x: x[:, :, ::-1]}),
        (ValueError, "mask: 'causl' is none of", {"mask": "causl"}),
        (ValueError, "layout: 'sbhd' is none of", {"layout": "sbhd"}),
        (ValueError, "window: 3 is no pair", {"window": 3}),
        (ValueError, "window_left is -2", {"window": (-2, 0)}),
        (ValueError, "scale: nan is not finite", {"scale": float("nan")}),
        (ValueError, "stream: numpy's arrays have none", {"stream": 0}),
        (ValueError, "out: seq 5 differs from q: seq 33", {"out": np.zeros((1, 4, 5, 64), "f")}),
        (ValueError, "out: is read-only", {"out": np.broadcast_to(np.float32(0), (1, 4, 33, 64))}),
    ],
)
def test_what_is_wrong_is_named_with_its_values(error, message, changes):
    with pytest.raises(error, match=message):
        changed(**changes)


def test_an_input_is_not_accepted_as_the_output():
    q, k, v = inputs()
    with pytest.raises(ValueError, match=r"out: data .* is q's too"):
        flashcore.attention(q, k, v, out=q)


def test_supports_answers_with_the_reason_that_the_call_fails_with():
    q, k, v = inputs()
    assert flashcore.supports(q, k, v, mask="causal")
    assert flashcore.supports(q, k, v).reason == ""
    refused = flashcore.supports(q, k[..., :32], v)
    assert not refused
    assert refused.reason == "k: head_dim 32 differs from q: head_dim 64"
    assert "float64" in flashcore.supports(q.astype(np.float64), k, v).reason


def test_last_choice_says_what_served_this_thread():
    q, k, v = inputs()
    flashcore.attention(q, k, v)
    choice = flashcore.last_choice()
    assert (choice.backend, choice.family) == ("cpu", "cpu_blocked")
    assert choice.config["block_kv"] > 0
    assert choice.reason == "the device is the CPU"


def test_inputs_that_require_grad_are_refused_while_grad_is_on(torch):
    q, k, v = (torch.from_numpy(x) for x in inputs())
    v.requires_grad_()
    with pytest.raises(NotImplementedError, match="no backward yet"):
        flashcore.attention(q, k, v)
    assert "no backward yet" in flashcore.supports(q, k, v).reason
    with torch.no_grad():
        flashcore.attention(q, k, v)


def test_float32_on_a_gpu_is_not_implemented(torch, device):
    q, k, v = (torch.from_numpy(x).to(device) for x in inputs())
    if device == "cpu":
        assert flashcore.supports(q, k, v)
        return
    with pytest.raises(NotImplementedError, match="fp32"):
        flashcore.attention(q, k, v)


def test_a_stream_that_is_given_does_the_work(torch, device):
    q, k, v = (torch.from_numpy(x).to(device, torch.float16) for x in inputs())
    if device == "cpu":
        with pytest.raises(ValueError, match="stream: q is on the CPU"):
            flashcore.attention(q, k, v, stream=1)
        return
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    for each in (stream, stream.cuda_stream):
        o = flashcore.attention(q, k, v, stream=each)
        stream.synchronize()
        assert torch.equal(o, flashcore.attention(q, k, v))
    with torch.cuda.graph(graph := torch.cuda.CUDAGraph(), stream=stream):
        captured = flashcore.attention(q, k, v)
    q.mul_(2)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(captured, flashcore.attention(q, k, v))
