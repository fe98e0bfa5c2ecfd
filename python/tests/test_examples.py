"""The examples, small and on the CPU: the same answers with FlashCore's attention as without."""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import pytest

from conftest import why_no_torch

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def search_docs():
    if reason := why_no_torch():
        pytest.skip(reason)
    pytest.importorskip("transformers", reason="transformers is not installed")
    spec = importlib.util.spec_from_file_location("search_docs", EXAMPLES / "search_docs.py")
    module = sys.modules["search_docs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_an_untrained_model_embeds_the_same(search_docs, dtype, tolerance):
    small = ["--untrained", "--layers=2", "--length=64", "--rounds=1", "--device=cpu"]
    result = search_docs.main(["where is it", *small, f"--dtype={dtype}"])
    assert result["difference"] < tolerance
    assert result["taken"] > 0 and result["left"] == 0


def test_the_trained_model_finds_the_page(search_docs, capsys):
    try:
        importlib.metadata.files(search_docs.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{search_docs.PACKAGE} is not installed")
    pages = [str(search_docs.DOCS / page) for page in ("tuning.md", "numerics.md")]
    result = search_docs.main(
        ["What happens to a row that sees no key?", "--device=cpu", "--rounds=1", "--files", *pages]
    )
    assert result["difference"] < 1e-5 and result["left"] == 0
    assert "numerics.md" in capsys.readouterr().out.splitlines()[0]
