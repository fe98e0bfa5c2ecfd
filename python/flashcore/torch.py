"""A drop-in for PyTorch's `scaled_dot_product_attention`, and a way to route a model through it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._C import _functorch, _is_any_autocast_enabled, _len_torch_dispatch_stack
from torch.compiler import is_dynamo_compiling
from torch.nn import functional as F

from ._kinds import TorchKind
from ._native import binding

__all__ = ["Routed", "patch", "scaled_dot_product_attention"]

_pytorchs_own = F.scaled_dot_product_attention
_REFUSALS = (NotImplementedError, ValueError, TypeError, RuntimeError)


class _WatchedKind(TorchKind):
    """Tensors of which a mode, a transform, autocast or autograd may have to see the call. Where
    none is there, it is computed past torch's dispatcher and spares that detour."""

    watchers = (
        _len_torch_dispatch_stack,
        _functorch.peek_interpreter_stack,
        _is_any_autocast_enabled,
    )


_watched = binding.ArrayLibrary(_WatchedKind(torch))
_dispatched = binding.ArrayLibrary(TorchKind(torch))

_NO_MASK = binding.Options(binding.MASK_NONE, -1, -1, False, False)
_NO_MASK_GROUPED = binding.Options(binding.MASK_NONE, -1, -1, False, True)
_CAUSAL = binding.Options(binding.MASK_CAUSAL_TOP_LEFT, -1, -1, False, False)
_CAUSAL_GROUPED = binding.Options(binding.MASK_CAUSAL_TOP_LEFT, -1, -1, False, True)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    fallback: bool = False,
) -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention`, computed by FlashCore.

    Signature and meaning are PyTorch's: `is_causal` counts from the top left, `enable_gqa` allows
    fewer key heads than query heads, autocast casts the inputs. Works under `torch.compile` with
    fullgraph=True and, after a first call for the same shapes, inside `torch.cuda.graph`.

    Args:
        query: [batch, heads, seq_q, head_dim] or [heads, seq_q, head_dim], float16 or bfloat16; on
            the CPU also float32. Any strides whose last dimension is contiguous.
        key: [batch, heads_kv, seq_kv, head_dim]; heads_kv is heads, or with enable_gqa divides it.
        value: in key's shape.
        attn_mask: refused: FlashCore adds no mask to the scores.
        dropout_p: refused where it is not 0.
        is_causal: query i sees keys up to i.
        scale: what scores are multiplied by; 1/sqrt(head_dim) where it is None.
        enable_gqa: allow grouped heads.
        fallback: hand to PyTorch what FlashCore refuses, instead of raising.

    Returns:
        The result in query's shape, dtype and order of memory.

    Raises:
        NotImplementedError: FlashCore does not serve this, and says why: attn_mask, dropout, inputs
            that require grad (there is no backward yet), or a device or shape without a kernel.
        ValueError, TypeError: arguments contradict each other, or have another dtype.
    """
    if attn_mask is None and dropout_p == 0.0 and not is_dynamo_compiling():
        try:
            result = _compute(_watched, query, key, value, is_causal, scale, enable_gqa)
        except _REFUSALS:
            result = None  # once more the long way, which serves more, or says why not
        if result is not None:
            return result
    reason = _why_refused(query, key, value, attn_mask, dropout_p, enable_gqa)
    if reason is None:
        try:
            return _attend(query, key, value, is_causal, scale, enable_gqa, fallback)
        except _REFUSALS:
            if not fallback:
                raise
    elif not fallback:
        raise NotImplementedError(reason)
    return _pytorchs_own(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


class Routed:
    """What calls of `torch.nn.functional.scaled_dot_product_attention` came to inside `patch()`.

    Counted when they run: a call replayed from a CUDA graph is not seen again.
    """

    def __init__(self) -> None:
        self.taken = 0
        """Calls that FlashCore served."""
        self.left = 0
        """Calls that went on to PyTorch."""
        self.reasons: Counter[str] = Counter()
        """Why they did: the reason, and how often it was given."""
        self._lock = threading.Lock()

    def _take(self) -> None:
        with self._lock:
            self.taken += 1

    def _leave(self, reason: str) -> None:
        with self._lock:
            self.left += 1
            self.reasons[reason] += 1

    def __str__(self) -> str:
        lines = [f"{self.taken} calls taken, {self.left} left to PyTorch"]
        lines += [f"{count:7} × {reason}" for reason, count in self.reasons.most_common()]
        return "\n".join(lines)


_patches: list[Routed] = []


@contextmanager
def patch() -> Iterator[Routed]:
    """Routes `torch.nn.functional.scaled_dot_product_attention` through FlashCore where it serves.

    What it does not serve goes on to PyTorch. For the whole process, until the block ends:

        with flashcore.torch.patch() as routed:
            model(inputs)
        print(routed)  # 12 calls taken, 0 left to PyTorch

    Modules that call the function by another name, or C++ code that bypasses it, are not reached.
    """
    routed = Routed()
    before = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = _routed_attention
    _patches.append(routed)
    try:
        yield routed
    finally:
        _patches.remove(routed)
        F.scaled_dot_product_attention = before


def _routed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    reason = _why_refused(query, key, value, attn_mask, dropout_p, enable_gqa)
    if reason is None:
        if torch.compiler.is_compiling():
            return _attend(query, key, value, is_causal, scale, enable_gqa, fallback=True)
        try:
            result = _attend(query, key, value, is_causal, scale, enable_gqa, fallback=False)
        except _REFUSALS as error:
            reason = str(error)
        else:
            _count(None)
            return result
    _count(reason)
    return _pytorchs_own(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


def _count(reason: str | None) -> None:
    """Tells the innermost patch() what a call came to. A graph that torch.compile made does so from
    its operator, when it runs."""
    if torch.compiler.is_compiling() or not _patches:
        return
    if reason is None:
        _patches[-1]._take()
    else:
        _patches[-1]._leave(reason)


def _why_refused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None,
    dropout_p: float,
    enable_gqa: bool,
) -> str | None:
    """What can be said without asking the library, in words that torch.compile can follow."""
    if attn_mask is not None:
        return "attn_mask: FlashCore adds no mask to the scores; is_causal is served"
    if dropout_p != 0.0:
        return "dropout_p: FlashCore has no dropout"
    if _wants_grad(query, key, value):
        return binding.NO_BACKWARD
    if query.dim() not in (3, 4):
        return f"query: has {query.dim()} dimensions; 3 and 4 are served"
    if not enable_gqa and query.size(-3) != key.size(-3):
        return (
            f"key: heads {key.size(-3)} differs from query: heads {query.size(-3)}, "
            "and enable_gqa is not set"
        )
    return None


def _wants_grad(query: Tensor, key: Tensor, value: Tensor) -> bool:
    return torch.is_grad_enabled() and (
        query.requires_grad or key.requires_grad or value.requires_grad
    )


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
    fallback: bool,
) -> Tensor:
    """The call itself, directly or, where torch watches, through the registered operator."""
    device = query.device.type
    has_memory = device in ("cpu", "cuda")
    if has_memory and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    if query.dim() == 3:
        query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
        return _attend(query, key, value, is_causal, scale, enable_gqa, fallback).squeeze(0)
    if has_memory and not is_dynamo_compiling():
        result = _compute(_watched, query, key, value, is_causal, scale, enable_gqa)
        if result is not None:
            return result
    watched: Tensor = torch.ops.flashcore.scaled_dot_product_attention(
        query, key, value, is_causal, scale, enable_gqa, fallback
    )
    return watched


def _compute(
    library: binding.ArrayLibrary,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> Tensor | None:
    """None where the library is `_watched` and somebody must see the call happen."""
    if is_causal:
        options = _CAUSAL_GROUPED if enable_gqa else _CAUSAL
    else:
        options = _NO_MASK_GROUPED if enable_gqa else _NO_MASK
    result: Tensor | None = binding.forward(library, options, query, key, value, scale, None, False)
    return result


def _operator(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
    fallback: bool,
) -> Tensor:
    """The operator on a CPU or a GPU. The result has query's order of memory, whoever made it."""
    try:
        result = _compute(_dispatched, query, key, value, is_causal, scale, enable_gqa)
        assert result is not None  # nobody watches behind the dispatcher
    except _REFUSALS as error:
        if not fallback:
            raise
        _count(str(error))
        own = _pytorchs_own(
            query, key, value, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
        )
        return torch.empty_like(query).copy_(own)
    _count(None)
    return result


def _no_backward(context: object, *gradients: object) -> None:
    raise NotImplementedError(binding.NO_BACKWARD)


_NAME = "flashcore::scaled_dot_product_attention"
_library = torch.library.Library("flashcore", "DEF")
_library.define(
    "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, bool is_causal, "
    "float? scale, bool enable_gqa, bool fallback) -> Tensor"
)
for _device in ("CPU", "CUDA"):
    _library.impl("scaled_dot_product_attention", _operator, _device)
torch.library.register_fake(_NAME, lambda query, *_: torch.empty_like(query), lib=_library)
torch.library.register_autograd(_NAME, _no_backward, lib=_library)
