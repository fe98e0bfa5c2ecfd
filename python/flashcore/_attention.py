"""Attention on arrays of the caller's own kind."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeVar, overload

from ._kinds import kind_of, known_libraries, library_of
from ._native import binding

Array = TypeVar("Array")
Mask = Literal["causal", "causal_top_left", "causal_bottom_right"]
Layout = Literal["bhsd", "bshd"]

_MASKS: dict[str | None, int] = {
    None: binding.MASK_NONE,
    "causal": binding.MASK_CAUSAL,
    "causal_top_left": binding.MASK_CAUSAL_TOP_LEFT,
    "causal_bottom_right": binding.MASK_CAUSAL_BOTTOM_RIGHT,
}
_LAYOUTS = {"bhsd": False, "bshd": True}
_NO_WINDOW = (-1, -1)


class Choice(NamedTuple):
    """What served a call."""

    backend: str
    """"cpu" or "cuda"."""
    family: str
    """Which way of computing: "forward_tma_wgmma", "cpu_blocked", ..."""
    config: dict[str, int | str]
    """The family's Config by field name."""
    reason: str
    """Why this family and this Config: how a tuned record matched, and what faster ones refused."""


class Support(NamedTuple):
    """An answer that is true or false, with the reason where it is false."""

    supported: bool
    reason: str

    def __bool__(self) -> bool:
        return self.supported


@overload
def attention(
    q: Array,
    k: Any,
    v: Any,
    *,
    scale: float | None = ...,
    mask: Mask | None = ...,
    window: tuple[int, int] | None = ...,
    layout: Layout = ...,
    out: Any | None = ...,
    return_lse: Literal[False] = ...,
    stream: Any | None = ...,
) -> Array: ...
@overload
def attention(
    q: Array,
    k: Any,
    v: Any,
    *,
    scale: float | None = ...,
    mask: Mask | None = ...,
    window: tuple[int, int] | None = ...,
    layout: Layout = ...,
    out: Any | None = ...,
    return_lse: Literal[True],
    stream: Any | None = ...,
) -> tuple[Array, Array]: ...
def attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    scale: float | None = None,
    mask: Mask | None = None,
    window: tuple[int, int] | None = None,
    layout: Layout = "bhsd",
    out: Any | None = None,
    return_lse: bool = False,
    stream: Any | None = None,
) -> Any:
    """Computes `softmax(scale · q kᵀ + mask) v`, exactly, in one fused kernel, without copies.

    Sums and the softmax are fp32 in every dtype. On a GPU the work is queued on the stream that the
    arrays' library is working on, and the call returns at once; it can be captured into a CUDA
    graph, once a first call for the same shapes has compiled and loaded what it needs. JAX's arrays
    are waited for.

    Args:
        q: Queries, [batch, heads_q, seq_q, head_dim]: an array of torch, CuPy, JAX, NumPy, or of
            any library that follows the array API standard. float16 or bfloat16; on the CPU also
            float32. Any strides whose last dimension is contiguous.
        k: Keys, [batch, heads_kv, seq_kv, head_dim], in q's dtype and on q's device. heads_q is a
            multiple of heads_kv; query head h reads key head h // (heads_q // heads_kv).
        v: Values, in k's shape.
        scale: What scores are multiplied by; 1/sqrt(head_dim) where it is None.
        mask: None, "causal_top_left" (query i sees keys up to i), "causal_bottom_right" (up to
            i + seq_kv - seq_q), or "causal" where the lengths are equal and both are the same.
        window: (left, right): how many keys before and after the diagonal are seen, inclusive, -1
            for no limit. The diagonal is the mask's, and ends at the bottom right without one. A
            row that sees no key gives 0, and an LSE of -inf.
        layout: "bhsd" as above, or "bshd": q, k, v and the result are [batch, seq, heads,
            head_dim].
        out: Where to write the result, in q's shape and dtype; a new array in q's order of memory
            where it is None. It shares no memory with the inputs.
        return_lse: Also return the log-sum-exp of the masked, scaled scores, float32
            [batch, heads_q, seq_q], natural logarithm.
        stream: A CUDA stream (its address, or torch's, CuPy's or CUDA Python's object) to work on
            instead. The caller orders it after the work that makes the inputs.

    Returns:
        The result, an array of q's kind and shape; with return_lse the pair (result, LSE).

    Raises:
        ValueError: Arguments contradict each other; the message names both with their values.
        TypeError: No array, or of another dtype.
        NotImplementedError: No kernel serves this on that device, or an input requires grad.
        RuntimeError: The device, its driver or the compiler fails or is not there.
        MemoryError: Memory ran out.
    """
    library = known_libraries.get(type(q)) or library_of(q)
    options = None if window is not None else _WITHOUT_WINDOW.get((mask, layout))
    if options is None:
        options = _options(mask, window, layout)
    if stream is None:
        return binding.forward(library, options, q, k, v, scale, out, return_lse)
    with kind_of(q).on_stream(stream, q):
        return binding.forward(library, options, q, k, v, scale, out, return_lse)


def supports(
    q: Any,
    k: Any,
    v: Any,
    *,
    scale: float | None = None,
    mask: Mask | None = None,
    window: tuple[int, int] | None = None,
    layout: Layout = "bhsd",
    out: Any | None = None,
) -> Support:
    """Whether `attention` would serve these arguments, and why not. Computes and compiles nothing.

    The arguments are `attention`'s. The answer is true or false in a condition; `reason` is the
    message that the call would fail with, empty where it would not.
    """
    try:
        options = _options(mask, window, layout)
        reason = binding.why_unsupported(library_of(q), options, q, k, v, scale, out)
    except (ValueError, TypeError, NotImplementedError, RuntimeError, BufferError) as error:
        reason = str(error)
    return Support(reason is None, reason or "")


def last_choice() -> Choice:
    """What served this thread's last call, be it by `attention` or by `flashcore.torch`.

    Raises RuntimeError where this thread has made none.
    """
    backend, family, config, reason = binding.last_choice()
    return Choice(backend, family, _parsed(config), reason)


def _parsed(config: str) -> dict[str, int | str]:
    """{"head_dim": 64, ...} of "head_dim=64,..."."""
    fields = (field.partition("=") for field in config.split(",") if field)
    return {name: int(value) if value.lstrip("-").isdigit() else value for name, _, value in fields}


def _options(mask: str | None, window: tuple[int, int] | None, layout: str) -> binding.Options:
    if mask not in _MASKS:
        raise ValueError(f"mask: {mask!r} is none of {', '.join(map(repr, _MASKS))}")
    if layout not in _LAYOUTS:
        raise ValueError(f"layout: {layout!r} is none of {', '.join(map(repr, _LAYOUTS))}")
    if window is None:
        window = _NO_WINDOW
    elif not isinstance(window, (tuple, list)) or len(window) != 2:
        raise ValueError(f"window: {window!r} is no pair (left, right)")
    left, right = window
    return binding.Options(_MASKS[mask], left, right, _LAYOUTS[layout], True)


_WITHOUT_WINDOW = {
    (mask, layout): _options(mask, None, layout) for mask in _MASKS for layout in _LAYOUTS
}
