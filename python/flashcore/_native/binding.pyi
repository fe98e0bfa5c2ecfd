"""The C interface on DLPack arrays; `flashcore` is what to call."""

from typing import Any

class ArrayLibrary:
    """What a call needs of the library that its arrays come from, looked up once."""

    def __init__(self, kind: Any) -> None: ...

class Options:
    def __init__(
        self, mask_kind: int, window_left: int, window_right: int, bshd: bool, grouped: bool
    ) -> None: ...

def forward(
    library: ArrayLibrary,
    options: Options,
    q: Any,
    k: Any,
    v: Any,
    scale: float | None,
    out: Any | None,
    return_lse: bool,
) -> Any: ...
def why_unsupported(
    library: ArrayLibrary,
    options: Options,
    q: Any,
    k: Any,
    v: Any,
    scale: float | None,
    out: Any | None,
) -> str | None: ...
def last_choice() -> tuple[str, str, str, str]: ...
def load_pack(path: str) -> None: ...
def version() -> str: ...

NO_BACKWARD: str
MASK_NONE: int
MASK_CAUSAL_TOP_LEFT: int
MASK_CAUSAL_BOTTOM_RIGHT: int
MASK_CAUSAL: int
