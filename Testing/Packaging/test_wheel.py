"""The wheel is whole, and works in a Python environment of its own, far from the source tree."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(repository, run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, repository)
    (path,) = folder.glob("fewshotsegment-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, run, tmp_path_factory) -> Path:
    """A new virtual environment with the wheel, which borrows its dependencies from this one instead of downloading."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    python = _program(folder, "python")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # a plain path in a .pth file: the editable install that may be in the borrowed folder is not processed
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def _program(environment: Path, name: str) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / (name + (".exe" if os.name == "nt" else ""))


def test_wheel_holds_every_file(wheel, package_lists):
    wanted = package_lists.wanted()
    files = {*wanted["FewShotSegmentLib_PYTHON_SCRIPTS"], *wanted["FewShotSegmentLib_RESOURCES"]}
    # in the wheel the weights lie inside the package, so that nothing else lands in site-packages
    files = {f"FewShotSegmentLib/{file}" if file.startswith("Resources/") else file for file in files}
    with zipfile.ZipFile(wheel) as archive:
        packaged = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(files - packaged) == []  # .gitignore counts for the wheel, too
    assert sorted(packaged - files) == []
    assert any(file.endswith(".safetensors") for file in packaged)


def test_command_runs_far_from_the_source_tree(environment, repository, run, tmp_path):
    said = run(_program(environment, "fewshotsegment"), "--version", cwd=tmp_path)
    version = said.split()[-1]
    assert f'__version__ = "{version}"' in (repository / "FewShotSegmentLib/version.py").read_text(encoding="utf-8")


def test_engine_and_weights_come_from_the_wheel(environment, run, tmp_path):
    code = (
        "import FewShotSegmentLib.version as version\n"
        "from FewShotSegmentLib.weights import find_weights\n"
        "print(version.__file__, find_weights().path, sep='\\n')"
    )
    for place in run(_program(environment, "python"), "-c", code, cwd=tmp_path).splitlines():
        assert Path(place).resolve().is_relative_to(environment.resolve())
        assert Path(place).is_file()


def test_engine_knows_nothing_of_slicer(repository, package_lists):
    """It must run on any computer with Python, hence without what only Slicer brings along."""
    forbidden = {"slicer", "qt", "ctk", "vtk", "FewShotSegment"}
    found = []
    for file in package_lists.wanted()["FewShotSegmentLib_PYTHON_SCRIPTS"]:
        for node in ast.walk(ast.parse((repository / file).read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            found += [f"{file} imports {name}" for name in names if name.partition(".")[0] in forbidden]
    assert found == []
