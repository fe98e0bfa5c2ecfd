"""The drop-in for PyTorch's scaled_dot_product_attention, against PyTorch's own."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import why_no_torch

if reason := why_no_torch():
    pytest.skip(reason, allow_module_level=True)

import torch
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F

import flashcore
import flashcore.torch
from calls import assert_as_exact, assert_equal, random_call
from flashcore._kinds import TorchKind
from flashcore._native import binding

sdpa = F.scaled_dot_product_attention
flash = flashcore.torch.scaled_dot_product_attention


@pytest.fixture(autouse=True)
def no_grad():
    torch._dynamo.reset()
    with torch.no_grad():
        yield


def tensors(*shape, device="cpu", dtype=None, seed=0):
    dtype = dtype or (torch.float32 if device == "cpu" else torch.float16)
    torch.manual_seed(seed)
    return [torch.randn(shape, device=device, dtype=dtype) for _ in range(3)]


@pytest.mark.parametrize("seed", range(100))
def test_random_calls_equal_pytorchs(device, seed):
    inputs, options = random_call(seed, device)
    theirs = sdpa(*inputs, **options)
    assert_as_exact(flash(*inputs, **options), theirs, inputs, options)


@pytest.mark.parametrize("seed", range(6))
def test_compiled_calls_equal_pytorchs_without_a_graph_break(device, seed):
    inputs, options = random_call(seed, device)

    def surrounded(attend):
        return lambda q, k, v: attend(2 * q, k, v, **options) + 1

    compiled = torch.compile(surrounded(flash), fullgraph=True)
    assert_equal(compiled(*inputs), surrounded(sdpa)(*inputs))


def test_compiled_with_dynamic_shapes_it_serves_other_lengths():
    compiled = torch.compile(lambda q, k, v: flash(q + 0, k, v), fullgraph=True, dynamic=True)
    for seq in (16, 33, 50):
        inputs = tensors(2, 3, seq, 32)
        assert_equal(compiled(*inputs), sdpa(*inputs))


def test_a_cuda_graph_replays_it_on_new_values(device):
    if device == "cpu":
        pytest.skip("CUDA graphs need a GPU")
    for seed in range(20):
        inputs, options = random_call(seed, device)
        flash(*inputs, **options)  # compiles and loads
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = flash(*inputs, **options)
        for x in inputs:
            x.copy_(torch.randn_like(x))
        graph.replay()
        torch.cuda.synchronize()
        assert_equal(result, sdpa(*inputs, **options))


def test_the_operator_passes_pytorchs_own_checks(device):
    q, k, v = tensors(2, 4, 33, 64, device=device)
    operator = torch.ops.flashcore.scaled_dot_product_attention
    for inputs in ((q, k, v), [x.transpose(1, 2) for x in (q, k, v)]):
        torch.library.opcheck(operator, (*inputs, True, None, False, False))


def test_the_fake_result_has_the_real_ones_order_of_memory():
    real = [x.transpose(1, 2) for x in tensors(2, 33, 4, 64)]
    with FakeTensorMode() as mode:
        fake = flash(*(mode.from_tensor(x) for x in real))
    assert fake.stride() == flash(*real).stride()


def test_fake_and_meta_tensors_get_the_shape_alone():
    q, k, v = (x.to("meta") for x in tensors(1, 2, 8, 16))
    assert flash(q, k, v).shape == q.shape


def test_the_result_has_the_querys_order_of_memory():
    q, k, v = (x.transpose(1, 2) for x in tensors(2, 33, 4, 64))
    assert flash(q, k, v).stride() == q.stride()


@pytest.mark.parametrize(
    "reorder",
    [
        lambda x: x,
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: x[:, :, ::2],
        lambda x: x[:, :1].expand(-1, 4, -1, -1),
        lambda x: x[:1, :, :1],
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2)[:1],
    ],
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_result_is_what_empty_like_makes(device, reorder, dtype):
    if device == "cuda" and dtype == torch.float32:
        pytest.skip("float32 is served on the CPU")
    q, k, v = (reorder(x) for x in tensors(2, 4, 64, 64, device=device, dtype=dtype))
    like = torch.empty_like(q)
    for result in (flash(q, k, v), flashcore.attention(q, k, v)):
        assert (result.shape, result.stride()) == (like.shape, like.stride())
        assert (result.dtype, result.device) == (like.dtype, like.device)
        assert type(result) is torch.Tensor and not result.requires_grad
        assert_equal(result, sdpa(q, k, v))


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_the_result_is_an_inference_tensor_in_inference_mode_alone(device, guard):
    q, k, v = tensors(1, 2, 9, 32, device=device)
    with guard():
        assert flash(q, k, v).is_inference() == torch.is_inference_mode_enabled()


def test_without_the_exchange_table_and_the_quick_allocation_it_is_the_same(device):
    """PyTorch before 2.10, or one that has lost them."""
    inputs, options = random_call(3, device)
    expected = flash(*inputs, **options)

    class Older(torch.Tensor):
        __dlpack_c_exchange_api__ = None
        __torch_function__ = torch._C._disabled_torch_function_impl

    kind = TorchKind(torch)
    kind.empty_strided_cpu = kind.empty_strided_cuda = None
    kind.current_stream = kind._current_stream
    library = binding.ArrayLibrary(kind)
    grouped = binding.Options(
        binding.MASK_CAUSAL_TOP_LEFT if options["is_causal"] else binding.MASK_NONE,
        -1, -1, False, True,
    )  # fmt: skip
    older = (x.as_subclass(Older) for x in inputs)
    result = binding.forward(library, grouped, *older, options.get("scale"), None, False)
    assert torch.equal(result, expected) and result.stride() == expected.stride()


def test_three_dimensions_are_one_batch(device):
    inputs = tensors(4, 33, 64, device=device)
    assert_equal(flash(*inputs, is_causal=True), sdpa(*inputs, is_causal=True))


def test_autocast_casts_as_it_does_for_pytorchs(device):
    inputs = tensors(1, 2, 33, 64, device=device, dtype=torch.float32)
    with torch.autocast(device, torch.bfloat16):
        ours, theirs = flash(*inputs), sdpa(*inputs)
    assert ours.dtype == torch.bfloat16
    assert_equal(ours, theirs)


def test_parameters_are_tensors():
    q, k, v = tensors(1, 2, 8, 16)
    assert_equal(flash(torch.nn.Parameter(q), k, v), sdpa(q, k, v))


Q, K, V = tensors(1, 4, 9, 32)


@pytest.mark.parametrize(
    ("error", "reason", "arguments", "options"),
    [
        (NotImplementedError, "attn_mask", (Q, K, V), {"attn_mask": torch.zeros(9, 9)}),
        (NotImplementedError, "attn_mask", (Q, K, V), {"attn_mask": torch.ones(9, 9) > 0}),
        (NotImplementedError, "dropout_p", (Q, K, V), {"dropout_p": 0.5}),
        (NotImplementedError, "heads 2 .* enable_gqa", (Q, K[:, :2], V[:, :2]), {}),
        (NotImplementedError, "5 dimensions", [x[None] for x in (Q, K, V)], {}),
        (ValueError, "v: head_dim 16 differs", (Q, K, V[..., :16].contiguous()), {}),
        (ValueError, "last dimension has stride", [x.mT.contiguous().mT for x in (Q, K, V)], {}),
        (TypeError, "float64", [x.double() for x in (Q, K, V)], {}),
    ],
)
def test_what_is_refused_says_why_or_falls_back(error, reason, arguments, options):
    with pytest.raises(error, match=reason):
        flash(*arguments, **options)
    if "enable_gqa" in reason:
        return  # PyTorch refuses it too
    torch.manual_seed(1)
    ours = flash(*arguments, **options, fallback=True)
    torch.manual_seed(1)
    assert torch.equal(ours, sdpa(*arguments, **options))


def test_inputs_that_require_grad_are_refused_or_fall_back():
    q, k, v = tensors(1, 2, 9, 32)
    q.requires_grad_()
    with torch.enable_grad():
        with pytest.raises(NotImplementedError, match="no backward yet"):
            flash(q, k, v)
        flash(q, k, v, fallback=True).sum().backward()
        expected = torch.autograd.grad(sdpa(q, k, v).sum(), q)[0]
        with pytest.raises(NotImplementedError, match="no backward yet"):
            operator = torch.ops.flashcore.scaled_dot_product_attention
            operator(q, k, v, False, None, False, False).sum().backward()
    assert torch.allclose(q.grad, expected)


def test_patch_routes_counts_and_restores():
    q, k, v = tensors(1, 2, 9, 32)
    with flashcore.torch.patch() as routed:
        assert F.scaled_dot_product_attention is not sdpa
        assert_equal(
            F.scaled_dot_product_attention(q, k, v, is_causal=True), sdpa(q, k, v, is_causal=True)
        )
        F.scaled_dot_product_attention(q, k, v, attn_mask=torch.zeros(9, 9))
        F.scaled_dot_product_attention(q.double(), k.double(), v.double())
        F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    assert F.scaled_dot_product_attention is sdpa
    assert (routed.taken, routed.left) == (1, 3)
    assert sorted(routed.reasons.values()) == [1, 2]
    assert "1 calls taken, 3 left" in str(routed) and "2 × q: dtype float64" in str(routed)


def test_patch_restores_after_an_error_and_nests():
    with pytest.raises(ZeroDivisionError), flashcore.torch.patch():
        1 / 0  # noqa: B018
    with flashcore.torch.patch() as outer:
        F.scaled_dot_product_attention(Q, K, V)
        with flashcore.torch.patch() as inner:
            F.scaled_dot_product_attention(Q, K, V)
        F.scaled_dot_product_attention(Q, K, V)
    assert (outer.taken, inner.taken) == (2, 1)
    assert F.scaled_dot_product_attention is sdpa


def test_patch_leaves_training_to_pytorch():
    attention = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    x = torch.randn(2, 9, 32)
    with torch.enable_grad(), flashcore.torch.patch() as routed:
        attention(x, x, x, need_weights=False)[0].sum().backward()
    assert attention.in_proj_weight.grad is not None
    assert (routed.taken, routed.left) == (0, 1)


def test_patch_counts_what_a_compiled_model_runs():
    def model(q, k, v):
        return F.scaled_dot_product_attention(q + 0, k, v)

    with flashcore.torch.patch() as routed:
        compiled = torch.compile(model, fullgraph=True)
        for _ in range(3):
            assert_equal(compiled(Q, K, V), sdpa(Q, K, V))
        doubles = [x.double() for x in (Q, K, V)]
        assert torch.equal(compiled(*doubles), sdpa(*doubles))
    assert (routed.taken, routed.left) == (3, 1)


def test_patch_lets_a_compiled_model_train():
    q, k, v = tensors(1, 2, 9, 32)
    q.requires_grad_()
    with torch.enable_grad(), flashcore.torch.patch():
        compiled = torch.compile(
            lambda q: F.scaled_dot_product_attention(q, k, v).sum(), fullgraph=True
        )
        compiled(q).backward()
    assert q.grad is not None


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_calls_it_for_each_of_its_elements():
    q, k, v = (torch.stack([x, 2 * x, 3 * x]) for x in tensors(1, 2, 9, 16))
    assert_equal(torch.vmap(flash)(q, k, v), sdpa(q, k, v))


def test_threads_with_streams_of_their_own_give_right_answers(device):
    def solve(seed):
        inputs, options = random_call(seed, device)
        if device == "cuda":
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream), torch.no_grad():
                for _ in range(10):
                    ours = flash(*inputs, **options)
            stream.synchronize()
        else:
            with torch.no_grad():
                ours = flash(*inputs, **options)
        assert flashcore.last_choice().backend == device
        assert_equal(ours, sdpa(*inputs, **options))

    with ThreadPoolExecutor(8) as pool:
        for answer in [pool.submit(solve, seed) for seed in range(48)]:
            answer.result()


def test_counts_are_right_from_several_threads():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with flashcore.torch.patch() as routed, ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: F.scaled_dot_product_attention(Q, K, V), range(2000)))
    finally:
        sys.setswitchinterval(interval)
    assert routed.taken == 2000


def test_the_submodule_is_imported_when_it_is_asked_for():
    code = """
import sys, flashcore
assert "torch" not in sys.modules
flashcore.torch.patch
assert "torch" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
