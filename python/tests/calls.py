"""Random calls that both PyTorch's attention and FlashCore's drop-in support."""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Of a difference of two results on N(0, 1) inputs, which each rounds in its own order."""


def dtypes_of(device: str) -> list[torch.dtype]:
    return [torch.float16, torch.bfloat16] + [torch.float32] * (device == "cpu")


def random_call(seed: int, device: str) -> tuple[tuple[torch.Tensor, ...], dict]:
    """(query, key, value), options: a call that both sides support."""
    generator = torch.Generator().manual_seed(seed)

    def pick(choices):
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    dtype = pick(dtypes_of(device))
    heads_kv, group = pick([1, 2, 3]), pick([1, 1, 2, 4])
    longer = [512, 777, 1024] if device == "cuda" else []
    seq_q, seq_kv = pick([1, 2, 17, 64, 100, 129, *longer]), pick([1, 3, 64, 65, 128, 200, *longer])
    batch, head_dim = pick([1, 2, 3]), pick([16, 32, 64, 80, 128])

    def draw(heads, seq):
        shape = (batch, seq, heads, head_dim) if bshd else (batch, heads, seq, head_dim)
        x = torch.randn(shape, generator=generator).to(device, dtype)
        return x.transpose(1, 2) if bshd else x

    bshd = pick([False, True])
    tensors = (draw(heads_kv * group, seq_q), draw(heads_kv, seq_kv), draw(heads_kv, seq_kv))
    options = {"is_causal": pick([False, True]), "enable_gqa": group > 1}
    if pick([False, True]):
        options["scale"] = pick([0.05, 0.5])
    return tensors, options


def assert_equal(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    difference = (ours - theirs).abs().max().item()
    assert difference <= TOLERANCE[ours.dtype], difference  # a NaN fails too


def unit_in_last_place(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The distance between the dtype's neighbours at each value."""
    exponent = torch.frexp(values).exponent - 1
    return torch.finfo(dtype).eps * torch.exp2(exponent.to(values.dtype))


def assert_as_exact(
    ours: torch.Tensor, theirs: torch.Tensor, inputs: tuple[torch.Tensor, ...], options: dict
) -> None:
    """The two are as near to each other as assert_equal wants, or as neighbours of their dtype are.
    In 16 bits ours is also as near to the exact answer as the numerics contract wants, with
    PyTorch's in the place of the plain implementation: |ours - exact| <= 2 max|theirs - exact| +
    one unit in the last place, which is no finer than float32's at the largest v."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    exact = sdpa(*(x.double() for x in inputs), **options)
    unit = unit_in_last_place(exact, ours.dtype)
    apart = (ours.double() - theirs.double()).abs() - torch.clamp(unit, min=TOLERANCE[ours.dtype])
    assert apart.max().item() <= 0, f"{apart.max().item()} more than the tolerance"  # NaN fails too
    if ours.dtype == torch.float32:  # in a few rows PyTorch may be exact by chance
        return
    finest = unit_in_last_place(inputs[2].abs().max().double(), torch.float32)
    bound = 2 * (theirs.double() - exact).abs().max() + torch.maximum(unit, finest)
    excess = (ours.double() - exact).abs() - bound
    assert excess.max().item() <= 0, f"{excess.max().item()} more than the contract allows"
