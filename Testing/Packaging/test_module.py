"""The installed Slicer module loads and tells the truth about its engine, with Slicer's Python side stood in for.

Slicer's own self test (FewShotSegmentTest in the module's file) asks the same in a real Slicer; there is none here.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import sys
import unittest
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest


class Label:
    """QLabel: only what the module uses, so that a misspelt property is an error."""

    __slots__ = ("text",)


class PlainTextEdit:
    """QPlainTextEdit, likewise."""

    __slots__ = ("plainText",)


class UserInterface:
    """What slicer.util.loadUI makes of a .ui file."""

    def __init__(self, path: str):
        classes = {"QLabel": Label, "QPlainTextEdit": PlainTextEdit}
        self.widgets = {
            element.get("name"): classes[element.get("class")]()
            for element in ElementTree.parse(path).iter("widget")
            if element.get("class") in classes
        }
        self.scene = None

    def setMRMLScene(self, scene):
        self.scene = scene


class LoadableModule:
    def __init__(self, parent):
        self.parent = parent


class LoadableModuleWidget:
    def __init__(self, parent=None):
        self.parent = parent
        self.layout = SimpleNamespace(addWidget=lambda widget: None)

    def setup(self):
        pass

    def resourcePath(self, name):
        return os.path.join(os.path.dirname(sys.modules[type(self).__module__].__file__), "Resources", name)


def make_slicer() -> dict[str, ModuleType]:
    """The parts of Slicer's Python side that the module imports, by module name."""
    slicer, i18n, scripted = (
        ModuleType("slicer"),
        ModuleType("slicer.i18n"),
        ModuleType("slicer.ScriptedLoadableModule"),
    )
    slicer.mrmlScene = SimpleNamespace(Clear=lambda: None)
    slicer.util = SimpleNamespace(
        loadUI=UserInterface, childWidgetVariables=lambda widget: SimpleNamespace(**widget.widgets)
    )
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    scripted.ScriptedLoadableModule = LoadableModule
    scripted.ScriptedLoadableModuleWidget = LoadableModuleWidget
    scripted.ScriptedLoadableModuleLogic = type("ScriptedLoadableModuleLogic", (), {})
    scripted.ScriptedLoadableModuleTest = unittest.TestCase
    return {module.__name__: module for module in (slicer, i18n, scripted)}


@pytest.fixture
def load_module(monkeypatch):
    """Load FewShotSegment.py as Slicer does: from its folder, which is on the module path."""

    def imported() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in ("slicer", "FewShotSegmentLib")]

    def load(folder: Path, on_path: bool = True) -> ModuleType:
        for name in imported():
            monkeypatch.delitem(sys.modules, name)
        for name, module in make_slicer().items():
            monkeypatch.setitem(sys.modules, name, module)
        # nothing but the module's folder may lead to an engine
        outside = [path for path in sys.path if path and not (Path(path) / "FewShotSegmentLib").is_dir()]
        monkeypatch.setattr(sys, "path", [*([str(folder)] if on_path else []), *outside])
        specification = importlib.util.spec_from_file_location("FewShotSegment", folder / "FewShotSegment.py")
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, "FewShotSegment", module)
        specification.loader.exec_module(module)
        return module

    yield load
    # the engine of the installed extension must not stay for the tests that follow; monkeypatch puts back the others
    for name in imported():
        del sys.modules[name]


def show_panel(module: ModuleType) -> SimpleNamespace:
    widget = module.FewShotSegmentWidget()
    widget.setup()
    widget.enter()
    return widget.ui


def test_module_presents_itself(load_module, installed):
    parent = SimpleNamespace()
    load_module(installed).FewShotSegment(parent)
    assert parent.title == "FewShotSegment"
    assert parent.categories == ["Segmentation"]
    assert "one slice" in parent.helpText


def test_engine_of_the_installed_extension_is_whole(load_module, installed, repository):
    status = load_module(installed).FewShotSegmentLogic().engineStatus()
    assert f'__version__ = "{status.version}"' in (repository / "FewShotSegmentLib/version.py").read_text("utf-8")
    assert Path(status.folder) == installed
    assert status.presentWeights
    assert status.missingWeights == []
    assert status.missingPackages == []  # the tests run where the engine runs


def test_engine_is_found_from_the_source_tree(load_module, repository):
    status = load_module(repository / "FewShotSegment", on_path=False).FewShotSegmentLogic().engineStatus()
    assert Path(status.folder) == repository


def test_panel_shows_the_engine_and_the_command(load_module, installed):
    module = load_module(installed)
    panel = show_panel(module)
    status = module.FewShotSegmentLogic().engineStatus()
    assert panel.versionLabel.text == status.version
    assert panel.weightsLabel.text == f"Present: {', '.join(status.presentWeights)}"
    assert panel.packagesLabel.text == "All present"
    change_folder, command = panel.commandTextEdit.plainText.splitlines()
    assert change_folder.endswith(str(installed))
    assert "-m FewShotSegmentLib.cli.main propagate VOLUME ANNOTATION -o OUT.seg.nrrd" in command


def test_panel_says_what_is_missing(load_module, installed, tmp_path, monkeypatch):
    shutil.copytree(installed, tmp_path / "module")
    module = load_module(tmp_path / "module")
    monkeypatch.setitem(module.ENGINE_PACKAGES, "no_such_package", "nosuchpackage")
    (gone, *_) = module.FewShotSegmentLogic().engineStatus().presentWeights
    (tmp_path / "module/Resources/weights" / gone).unlink()
    panel = show_panel(module)
    assert panel.weightsLabel.text.startswith(f"Missing: {gone}")
    assert "nosuchpackage" in panel.packagesLabel.text


def test_panel_says_that_the_engine_is_missing(load_module, installed, tmp_path):
    shutil.copytree(installed, tmp_path / "lone/module", ignore=shutil.ignore_patterns("FewShotSegmentLib", "weights"))
    panel = show_panel(load_module(tmp_path / "lone/module"))
    assert "not found" in panel.versionLabel.text
    assert "no list of weights" in panel.weightsLabel.text
    assert panel.commandTextEdit.plainText == ""


def test_self_test_of_the_module_passes_where_it_needs_no_window(load_module, installed):
    suite = unittest.TestLoader().loadTestsFromTestCase(load_module(installed).FewShotSegmentTest)
    wanted = [test for test in suite if "Panel" not in test.id()]
    result = unittest.TestResult()
    unittest.TestSuite(wanted).run(result)
    assert result.testsRun == 2
    assert [text for _, text in result.failures + result.errors] == []


def test_module_loads_in_the_python_of_slicer_5_8(repository):
    """Syntax of Python 3.9, and at file scope nothing that Slicer does not bring along."""
    source = (repository / "FewShotSegment/FewShotSegment.py").read_text(encoding="utf-8")
    imported = set()
    for statement in ast.parse(source, feature_version=(3, 9)).body:
        if isinstance(statement, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            imported.add(statement.module.partition(".")[0])
    assert imported - sys.stdlib_module_names == {"slicer"}


def test_panel_has_no_control_that_does_nothing(repository):
    tree = ElementTree.parse(repository / "FewShotSegment/Resources/UI/FewShotSegment.ui")
    classes = {element.get("class") for element in tree.iter("widget")}
    assert classes == {"qMRMLWidget", "QLabel", "QPlainTextEdit", "ctkCollapsibleButton"}
