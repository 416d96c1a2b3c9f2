"""Reload: everything beneath the module's own file is new afterwards, or nothing is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

PREFACE = """
import sys, types
from importlib import import_module
for name in ("slicer", "slicer.i18n"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["slicer.i18n"].tr = lambda text: text
sys.path[:0] = [folder, module]
from FewShotSegmentModule import reload
"""


@pytest.fixture
def package(tmp_path):
    """A package of the module's name, so that the test can edit its files; `reload` is the real one."""
    folder = tmp_path / "module" / "FewShotSegmentModule"
    (folder / "scene").mkdir(parents=True)
    real = REPOSITORY / "FewShotSegment/FewShotSegmentModule/reload.py"
    (folder / "reload.py").write_text(real.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "scene/__init__.py").write_text("", encoding="utf-8")
    (folder / "scene/leaf.py").write_text("class Leaf:\n    pass\nVALUE = 1\n", encoding="utf-8")
    (folder / "root.py").write_text("from .scene.leaf import VALUE, Leaf\n", encoding="utf-8")
    return folder


@pytest.fixture
def run_code(package):
    """Run code in a Python of its own: what is reloaded must not be what other tests hold."""

    def run(code: str) -> list[str]:
        preface = f"folder, module = {str(REPOSITORY)!r}, {str(package.parent)!r}\n{PREFACE}"
        # files are edited within the second that a .pyc file can tell
        command = [sys.executable, "-B", "-c", preface + code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_all_is_new_whatever_the_order(run_code, package):
    leaf = str(package / "scene/leaf.py")
    code = f"""
from FewShotSegmentModule import root
from FewShotSegmentModule.scene import leaf
old = root.Leaf
open({leaf!r}, "w").write("class Leaf:\\n    pass\\nVALUE = 2\\n")
names = reload.reloadAll()
root = import_module("FewShotSegmentModule.root")
print(root.VALUE, root.Leaf is old, root.Leaf is import_module("FewShotSegmentModule.scene.leaf").Leaf)
import FewShotSegmentModule
print(FewShotSegmentModule.root is root, FewShotSegmentModule.scene.leaf.VALUE, "FewShotSegmentModule.reload" in names)
"""
    assert run_code(code) == ["2 False True", "True 2 True"]


def test_a_file_that_cannot_be_imported_leaves_all_as_it_was(run_code, package):
    leaf = str(package / "scene/leaf.py")
    code = f"""
import FewShotSegmentModule
from FewShotSegmentModule import root
from FewShotSegmentModule.scene import leaf
open({leaf!r}, "w").write("VALUE = 3\\nsyntax error\\n")
try:
    reload.reloadAll()
except SyntaxError as error:
    print("said", error.filename.endswith("leaf.py"))
print(sys.modules["FewShotSegmentModule.root"] is root, FewShotSegmentModule.scene.leaf is leaf)
print(sys.modules["FewShotSegmentModule.scene.leaf"].VALUE)
"""
    assert run_code(code) == ["said True", "True True", "1"]


def test_asking_side_of_the_worker_is_reloaded_and_the_rest_of_the_engine_is_not(run_code):
    code = """
import FewShotSegmentLib
from FewShotSegmentLib import errors, version
from FewShotSegmentLib.worker import client, messages
reload.reloadAll()
new = sys.modules["FewShotSegmentLib.worker.messages"]
print(new is messages, sys.modules["FewShotSegmentLib.worker.client"] is client)
print(sys.modules["FewShotSegmentLib.errors"] is errors, FewShotSegmentLib.worker.messages is new)
print("torch" in sys.modules)
"""
    assert run_code(code) == ["False False", "True True", "False"]


def test_effect_is_loaded_anew_by_the_next_editor(run_code):
    """Slicer loads its file as a module of its own, and only if there is none of that name."""
    code = """
sys.modules["FewShotPropagateEffect"] = types.ModuleType("FewShotPropagateEffect")
reload.reloadAll()
print("FewShotPropagateEffect" in sys.modules)
"""
    assert run_code(code) == ["False"]
