"""What importing the package costs, and the README's example."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import flashcore

REPOSITORY = Path(__file__).parents[2]


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_brings_neither_torch_nor_numpy():
    loaded = run(
        "import flashcore, sys; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_importing_takes_less_than_50_ms():
    """Of the processor's time, because a busy machine takes longer by the clock."""
    code = (
        "import time; start = time.process_time(); import flashcore;"
        "print(1e3 * (time.process_time() - start))"
    )
    assert min(float(run(code)) for _ in range(5)) < 50


def test_the_version_is_the_librarys():
    header = (REPOSITORY / "include/flashcore/flashcore.h").read_text()
    assert f'FLASHCORE_VERSION "{flashcore.__version__}"' in header


@pytest.mark.parametrize("page", ["README.md", "python/README.md", "docs/python.md"])
def test_every_python_example_on_a_page_runs(page, tmp_path, monkeypatch):
    examples = re.findall(r"^```python\n(.*?)^```$", (REPOSITORY / page).read_text(), re.S | re.M)
    assert examples
    monkeypatch.chdir(tmp_path)
    for example in examples:
        if "torch" in example:
            pytest.importorskip("torch", reason="torch is not installed")
        exec(compile(example, page, "exec"), {})
