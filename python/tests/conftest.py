"""What the tests need of the machine. A test that must skip says why."""

from __future__ import annotations

import importlib.util

import pytest


def why_no_torch() -> str | None:
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    return None


def why_no_gpu() -> str | None:
    if reason := why_no_torch():
        return reason
    import torch

    return None if torch.cuda.is_available() else "torch finds no CUDA GPU here"


@pytest.fixture(scope="session")
def torch():
    if reason := why_no_torch():
        pytest.skip(reason)
    import torch

    return torch


@pytest.fixture(params=["cpu", "cuda"])
def device(request, torch):
    """Every test that takes it runs on the CPU, and on a GPU where there is one."""
    if request.param == "cuda" and (reason := why_no_gpu()):
        pytest.skip(reason)
    return request.param
