"""Random calls of attention, and what they must answer: a float64 oracle in NumPy.

The oracle states the mask key by key, from its definition (docs/numerics.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNIT_ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-22}
MASKS = (None, "causal_top_left", "causal_bottom_right")


@dataclass(frozen=True)
class Problem:
    batch: int
    heads_q: int
    heads_kv: int
    seq_q: int
    seq_kv: int
    head_dim: int
    mask: str | None = None
    window: tuple[int, int] | None = None
    scale: float | None = None
    layout: str = "bhsd"
    packed: bool = False  # q, k and v are slices of wider rows, so no tensor is contiguous

    @property
    def options(self) -> dict:
        return {
            "mask": self.mask, "window": self.window, "scale": self.scale, "layout": self.layout,
        }  # fmt: skip


def random_problem(rng: np.random.Generator, head_dims=(16, 32, 40, 64, 96, 128)) -> Problem:
    heads_kv = int(rng.integers(1, 4))
    seq = [1, 2, 3, 17, 64, 65, 100, 128, 200]
    windows = [None, None, (-1, 0), (0, 0), (5, 3), (16, -1), (-1, 7)]
    return Problem(
        batch=int(rng.integers(1, 4)),
        heads_q=heads_kv * int(rng.integers(1, 4)),
        heads_kv=heads_kv,
        seq_q=int(rng.choice(seq)),
        seq_kv=int(rng.choice([*seq, 0])),
        head_dim=int(rng.choice(head_dims)),
        mask=MASKS[rng.integers(len(MASKS))],
        window=windows[rng.integers(len(windows))],
        scale=[None, None, 0.0, 0.3, -0.1][rng.integers(5)],
        layout=["bhsd", "bshd"][rng.integers(2)],
        packed=bool(rng.integers(2)),
    )


def random_inputs(problem: Problem, rng: np.random.Generator, dtype=np.float32) -> list[np.ndarray]:
    """q, k and v as the problem's layout has them, N(0, 1)."""

    def draw(heads, seq):
        shape = [problem.batch, heads, seq, problem.head_dim]
        if problem.layout == "bshd":
            shape[1], shape[2] = shape[2], shape[1]
        if not problem.packed:
            return rng.standard_normal(shape, dtype=np.float32).astype(dtype)
        padding = 8
        wide = rng.standard_normal([*shape[:3], shape[3] + padding], dtype=np.float32)
        return wide.astype(dtype)[..., : shape[3]]

    kv = (problem.heads_kv, problem.seq_kv)
    return [draw(problem.heads_q, problem.seq_q), draw(*kv), draw(*kv)]


@dataclass(frozen=True)
class Answer:
    """In the problem's layout; lse is [batch, heads, seq_q]."""

    o: np.ndarray
    lse: np.ndarray
    weight: np.ndarray  # sum of p |v|: what rounding the probabilities is relative to

    def check(self, o, dtype: str, lse=None) -> None:
        """Holds a result to its dtype's rounding of inputs, probabilities and output."""
        o = np.asarray(o, np.float64)
        bound = 2 * UNIT_ROUNDOFF[dtype] * (self.weight + np.abs(self.o)) + 2e-6
        worst = np.unravel_index(np.argmax(np.abs(o - self.o) - bound), o.shape)
        assert np.all(np.abs(o - self.o) <= bound), (
            f"{worst}: {o[worst]} where {self.o[worst]} is right, {bound[worst]} is allowed"
        )
        if lse is None:
            return
        lse = np.asarray(lse, np.float64)
        assert np.array_equal(np.isneginf(lse), np.isneginf(self.lse))
        finite = np.isfinite(self.lse)
        assert np.allclose(lse[finite], self.lse[finite], rtol=1e-4, atol=1e-4)


def visible(problem: Problem) -> np.ndarray:
    """[seq_q, seq_kv], whether the query sees the key."""
    top_left = problem.mask == "causal_top_left"
    offset = 0 if top_left else problem.seq_kv - problem.seq_q
    distance = np.arange(problem.seq_kv)[None] - (np.arange(problem.seq_q)[:, None] + offset)
    left, right = problem.window or (-1, -1)
    seen = np.ones_like(distance, bool)
    if problem.mask is not None:
        seen &= distance <= 0
    if left >= 0:
        seen &= -distance <= left
    if right >= 0:
        seen &= distance <= right
    return seen


def oracle(problem: Problem, q, k, v) -> Answer:
    swapped = problem.layout == "bshd"
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    if swapped:
        q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
    group = problem.heads_q // problem.heads_kv
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scale = problem.head_dim**-0.5 if problem.scale is None else problem.scale
    scores = np.where(visible(problem), scale * (q @ k.swapaxes(-1, -2)), -np.inf)
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isneginf(largest), 0.0, largest))
    total = weights.sum(-1, keepdims=True)
    probabilities = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    with np.errstate(divide="ignore"):
        lse = (np.log(total) + np.where(total > 0, largest, 0.0))[..., 0]
    o, weight = probabilities @ v, probabilities @ np.abs(v)
    if swapped:
        o, weight = o.swapaxes(1, 2), weight.swapaxes(1, 2)
    return Answer(o, lse, weight)
