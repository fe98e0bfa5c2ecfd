"""What is on this machine, and kernels that were compiled elsewhere."""

from __future__ import annotations

import os
from typing import Any

from ._native import binding


def info() -> dict[str, Any]:
    """What this machine has and which kernels run here: `flashcore info --json` as a dictionary.

    Its keys are version, commit (what the package was built from), cpu, driver, gpus, nvrtc,
    emulator, cache, packs, tuned, choices, families and variants. A process of its own looks
    around, so CUDA is not started in this one. Raises RuntimeError with what that process said
    where it fails.
    """
    import json
    import subprocess

    from .__main__ import COMMAND

    done = subprocess.run([COMMAND, "info", "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"flashcore info exits with {done.returncode}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def load_pack(path: str | os.PathLike[str]) -> None:
    """Adds a pack of compiled kernels (`flashcore compile --pack FILE`) to those looked up.

    Raises OSError where the file cannot be read and ValueError where it is no pack.
    """
    binding.load_pack(os.fspath(path))
