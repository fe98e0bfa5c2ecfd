"""The C interface on DLPack arrays; `flashcore` is what to call."""

from collections.abc import Callable
from typing import Any

def forward(
    q: Any,
    k: Any,
    v: Any,
    out: Any,
    lse: Any | None,
    scale: float | None,
    mask_kind: int,
    window_left: int,
    window_right: int,
    bshd: bool,
    grouped: bool,
    stream: int | None,
    allocate: Callable[[Any, int], Any],
    synchronize: bool,
) -> None: ...
def why_unsupported(
    q: Any,
    k: Any,
    v: Any,
    out: Any | None,
    scale: float | None,
    mask_kind: int,
    window_left: int,
    window_right: int,
    bshd: bool,
) -> str | None: ...
def last_choice() -> tuple[str, str, str, str]: ...
def load_pack(path: str) -> None: ...
def version() -> str: ...

MASK_NONE: int
MASK_CAUSAL_TOP_LEFT: int
MASK_CAUSAL_BOTTOM_RIGHT: int
MASK_CAUSAL: int
