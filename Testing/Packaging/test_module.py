"""The installed Slicer module loads, from the installed files alone, with Slicer's Qt side stood in for.

The module's own tests (FewShotSegmentModule/selfTest.py) ask more of it, in a real Slicer; there is none here.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("run_installed.py")
BROUGHT_BY_SLICER = {"slicer", "qt", "ctk", "vtk", "numpy", "SegmentEditorEffects"}
STAND_INS = "PySide6", "slicer"


@pytest.fixture(scope="module")
def loaded(installed, repository, tmp_path_factory) -> dict:
    """What became of it."""
    if not all(importlib.util.find_spec(name) for name in STAND_INS):
        pytest.skip("the stand-ins need PySide6 and slicer-core")
    command = [sys.executable, str(SCRIPT), str(installed), str(repository / "Testing/Gui"), "--ask"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    folder = tmp_path_factory.mktemp("elsewhere")
    options = {"env": environment, "cwd": folder, "timeout": 300}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def inside(path: str, folder: Path) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())


def test_module_presents_itself(loaded):
    assert loaded["title"] == "FewShotSegment"
    assert loaded["categories"] == ["Segmentation"]
    assert loaded["sections"] >= 7


def test_every_part_of_the_module_imports_from_the_installed_folder(loaded, package_lists, installed):
    listed = package_lists.listed()["MODULE_PYTHON_SCRIPTS"]
    names = {".".join(Path(file).with_suffix("").parts).removesuffix(".__init__") for file in listed}
    assert loaded["modules"].keys() == names - {"FewShotSegment"}
    assert [path for path in loaded["modules"].values() if not inside(path, installed)] == []


def test_worker_is_the_engine_of_the_installed_folder(loaded, installed):
    assert Path(loaded["engine"]).resolve() == installed.resolve()
    assert inside(loaded["version"], installed)
    assert {"devices", "auto", "versions"} <= set(loaded["answer"])


def test_effect_of_the_segment_editor_is_registered(loaded):
    assert loaded["effects"] == ["FewShotPropagate"]


def test_module_imports_no_torch(loaded):
    assert not loaded["torch"]


# --- read, not run ---


@pytest.fixture(scope="module")
def sources(package_lists) -> dict[str, ast.Module]:
    """The module's Python files."""
    folder = package_lists.MODULE_FOLDER
    files = package_lists.wanted()["MODULE_PYTHON_SCRIPTS"]
    return {file: ast.parse((folder / file).read_text(encoding="utf-8")) for file in files}


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {node.module.partition(".")[0]}
    return set()


def test_at_file_scope_nothing_is_imported_that_slicer_does_not_bring_along(sources):
    """Slicer starts every module with itself: a package that is not installed yet would break it."""
    found = []
    for file, tree in sources.items():
        for statement in tree.body:
            for name in _imported(statement) - sys.stdlib_module_names - BROUGHT_BY_SLICER:
                if not name.startswith("FewShotSegment"):
                    found.append(f"{file} imports {name}")
    assert found == []


def test_module_never_imports_torch_or_calls_pip_itself(sources):
    found = []
    for file, tree in sources.items():
        for node in ast.walk(tree):
            found += [f"{file} imports {name}" for name in _imported(node) & {"torch", "torchvision", "pip"}]
            if isinstance(node, ast.Attribute) and node.attr == "pip_install":
                found.append(f"{file} calls pip_install")
    assert found == []


def test_translated_strings_are_constants(sources):
    """What is put together before `_()` sees it is in no dictionary."""
    found = []
    for file, tree in sources.items():
        for node in ast.walk(tree):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
            if called and not (len(node.args) == 1 and isinstance(node.args[0], ast.Constant)):
                found.append(f"{file}:{node.lineno}")
    assert found == []


def test_files_are_of_a_size_that_can_be_read(package_lists):
    lines = {
        file: (package_lists.MODULE_FOLDER / file).read_text(encoding="utf-8").count("\n")
        for file in package_lists.wanted()["MODULE_PYTHON_SCRIPTS"]
    }
    assert {file: count for file, count in lines.items() if count > 400} == {}


def test_panel_files_are_all_used(package_lists, repository):
    """A .ui file that nobody loads is one that nobody tests."""
    module = repository / "FewShotSegment"
    code = "\n".join(path.read_text(encoding="utf-8") for path in module.rglob("*.py"))
    names = [Path(file).stem for file in package_lists.wanted()["MODULE_PYTHON_RESOURCES"] if file.endswith(".ui")]
    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []
