"""info, load_pack and the command that comes with the package."""

import re
import subprocess
import sys

import pytest

import flashcore


def test_info_says_what_the_machine_has():
    info = flashcore.info()
    assert info["version"] == flashcore.__version__
    commit = info["commit"]
    assert commit == {"id": None, "dirty": None} or (
        re.fullmatch("[0-9a-f]{40,64}", commit["id"]) and commit["dirty"] in (True, False)
    )
    assert info["cpu"]["threads"] >= 1
    assert info["driver"]["available"] or info["driver"]["reason"]


def test_the_package_ships_its_pack():
    info = flashcore.info()
    if not info["packs"]:
        pytest.skip("the package was built without a kernel compiler, so it has no pack")
    assert info["packs"][0]["kernels"] > 0 and info["packs"][0]["problem"] == ""


def test_a_pack_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match=r"none\.pack"):
        flashcore.load_pack(tmp_path / "none.pack")


def test_a_file_that_is_no_pack_is_refused(tmp_path):
    file = tmp_path / "text.pack"
    file.write_text("not a pack")
    with pytest.raises((ValueError, OSError), match=r"text\.pack"):
        flashcore.load_pack(file)


def test_the_command_comes_with_the_package():
    done = subprocess.run(
        [sys.executable, "-m", "flashcore", "--version"], capture_output=True, text=True, check=True
    )
    assert flashcore.__version__ in done.stdout
