"""What a user installs: the wheel, in an environment of its own, away from the checkout."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import drugmon
from drugmon.data.sample import sample_reviews

ROOT = Path(__file__).resolve().parents[1]
ASPECTS = ("benefits", "side_effects", "comments")


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Run a command in `folder` with nothing of this process's Python settings or home."""
    kept = {key: os.environ[key] for key in os.environ if not key.startswith("PYTHON")}
    environment = {**kept, "HOME": str(folder / "no-home"), "HF_HUB_OFFLINE": "1", **environment}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


LIBRARY = "drugmon/models/kernels/libamx.so"
compiles = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64") or not shutil.which("cc"),
    reason="the kernels are for Linux on x86-64, and need a C compiler",
)


def build(folder: Path, **environment: str) -> Path:
    command = (sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir")
    run([*command, folder, ROOT], folder, **environment)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare environment with the wheel; the dependencies are lent by the running interpreter."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv/bin/python"
    install = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run([*install, "--no-deps", "--no-index", wheel], folder)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "lent.pth").write_text("\n".join(sorted(lent)))
    return folder


def test_wheel_carries_statements_adapters_and_package_data(wheel: Path) -> None:
    carried = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"drugmon/py.typed", "drugmon/data/sample_reviews.json"}
    for folder, inside in (("sql", "_sql"), ("adapters", "_adapters"), ("drugmon", "")):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files, f"{folder}/ is empty"
        names = (path.relative_to(ROOT / folder).as_posix() for path in files)
        wanted |= {"/".join(filter(None, ["drugmon", inside, n])) for n in names}
    wanted = {name for name in wanted if "__pycache__" not in name and name != LIBRARY}
    assert wanted - carried == set()
    strays = [name for name in carried if not name.startswith(("drugmon/", "drugmon-"))]
    assert strays == []


@compiles
def test_wheel_carries_kernels_for_every_python(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-linux_x86_64.whl")
    assert LIBRARY in zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false", "'"])
def test_wheel_without_a_compiler_is_of_python_alone(compiler: str, tmp_path: Path) -> None:
    wheel = build(tmp_path, CC=compiler)
    assert wheel.name.endswith("-py3-none-any.whl")
    carried = zipfile.ZipFile(wheel).namelist()
    assert LIBRARY not in carried
    assert "drugmon/models/kernels/amx.py" in carried


def test_wheel_names_its_version_and_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
        licence = archive.read(name.replace("METADATA", "licenses/LICENSE")).decode()
    assert metadata["Version"] == drugmon.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in licence


def test_installed_package_is_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    code = "import drugmon, json, sys; print(json.dumps([drugmon.__file__, sys.path]))"
    file, path = json.loads(run([installed / "venv/bin/python", "-c", code], tmp_path))
    assert Path(file).is_relative_to(installed)
    assert str(ROOT) not in path


def test_installed_drugmon_scores_the_sample(installed: Path, tmp_path: Path) -> None:
    command = installed / "venv/bin/drugmon"
    run([command, "sample", "reviews.parquet"], tmp_path)
    run([command, "score", "reviews.parquet"], tmp_path)
    scored = pq.read_table(tmp_path / "reviews.scored.parquet").to_pylist()
    reviews = sample_reviews()
    assert [row["id"] for row in scored] == [review["id"] for review in reviews]
    for row, review in zip(scored, reviews, strict=True):
        has_text = {name: bool(str(review[name] or "").strip()) for name in ASPECTS}
        for target, wanted in {**has_text, "overall": any(has_text.values())}.items():
            assert (row[f"{target}_sentiment"] is not None) == wanted, (row["id"], target)
