"""Exact fused attention, `O = softmax(scale · Q Kᵀ + mask) V`, on NVIDIA GPUs and CPUs.

`attention` takes anything that speaks DLPack and answers with an array of the same kind.
`flashcore.torch` has a drop-in for PyTorch's `scaled_dot_product_attention`; importing that imports
torch.
"""

from typing import TYPE_CHECKING, Any

from ._attention import Choice, Support, attention, last_choice, supports
from ._machine import info, load_pack
from ._native.binding import version as _version

if TYPE_CHECKING:
    from . import torch as torch

__version__ = _version()

__all__ = ["Choice", "Support", "attention", "info", "last_choice", "load_pack", "supports"]


def __getattr__(name: str) -> Any:
    if name == "torch":  # imported when it is asked for, because it imports torch
        import importlib

        return importlib.import_module(".torch", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
