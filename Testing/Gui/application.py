"""Starts the stand-in for Slicer's application, and loads scripted modules into it.

``start()`` once per process; then ``load_module(path)`` does what Slicer does when a user opens the module.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
MODULE = REPOSITORY / "FewShotSegment" / "FewShotSegment.py"
SLICER_PYTHON = "SLICER_PYTHON_DIR"
"""Environment variable: Slicer's Base/Python/slicer, if Slicer's own Python files are to be used."""

for _folder in (HERE, REPOSITORY / "Testing" / "MRML", REPOSITORY):  # REPOSITORY: the engine, beside the module
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import standins  # noqa: E402, F401  sets what PySide6 must find in the environment


def start():
    """slicer.app and all; returns the module ``slicer``."""
    import headless_slicer
    import slicer

    if "qt" in sys.modules:
        return slicer
    if hasattr(slicer, "mrmlScene"):
        raise RuntimeError("the tests of the panel need a process of their own: pytest Testing/Gui")
    headless_slicer.start()
    slicer.app.processEvents = lambda: None
    from standins import (
        ctk_widgets,
        dialogs,
        pythonqt,
        qt_module,
        sample_data,
        segment_effects,
        slicer_application,
        subject_hierarchy,
    )

    _add_widgets(slicer)
    qt_module.install()
    ctk_widgets.install()
    segment_effects.install()
    subject_hierarchy.install()
    sample_data.install()
    pythonqt.install()
    dialogs.install()
    slicer_application.install()
    _add_python_files(slicer)
    return slicer


def _add_widgets(slicer) -> None:
    from standins import layout, mrml_widgets, node_combo_box, segment_editor, segment_views

    for source in (mrml_widgets, node_combo_box, segment_views, segment_editor, layout):
        for name, value in vars(source).items():
            if name.startswith(("qMRML", "qSlicer")) and isinstance(value, type):
                setattr(slicer, name, value)
    slicer.qSlicerScriptedLoadableModule = qSlicerScriptedLoadableModule


def _add_python_files(slicer) -> None:
    """slicer.ScriptedLoadableModule and the like: Slicer's own where the environment says so, else the stand-ins."""
    real = os.environ.get(SLICER_PYTHON)
    if real:
        if not (Path(real) / "ScriptedLoadableModule.py").is_file():
            raise RuntimeError(f"{SLICER_PYTHON} is {real}, where there is no ScriptedLoadableModule.py")
        slicer.__path__.append(real)
    slicer.__path__.append(str(HERE / "standins" / "slicer_python"))
    # under these names Slicer's Python files import what slicer-core has in one module
    for name in ("mrml", "vtkITK", "vtkAddon", "vtkSegmentationCorePython", "MRMLCorePython", "MRMLLogicPython"):
        sys.modules.setdefault(name, slicer)


class qSlicerScriptedLoadableModule:
    """slicer.modules.NAME of a scripted module."""

    def __init__(self, path: Path):
        self.path, self.name = str(path), path.stem
        self.title, self.hidden, self.icon = "", False, None
        self.widget = None

    def widgetRepresentation(self):
        """Made when it is first asked for."""
        if self.widget is None:
            self.widget = _make_widget(self)
        return self.widget

    def createNewWidgetRepresentation(self):
        return _make_widget(self)

    def logic(self):
        return None


def load_module(path: Path | str = MODULE, *, enter: bool = True):
    """Import the file, make the module, its widget and its panel; opens it. Returns the module's Python widget."""
    slicer = start()
    path = Path(path)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    source = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = source
    specification.loader.exec_module(source)
    module = qSlicerScriptedLoadableModule(path)
    module.python = getattr(source, path.stem)(module)
    setattr(slicer.modules, path.stem.lower(), module)
    slicer.app.moduleManager().add(path.stem, module)
    slicer.app.moduleManager().moduleLoaded.emit(path.stem)
    slicer.app.startupCompleted.emit()  # modules do at this signal what has to wait for the others
    widget = module.widgetRepresentation().self()
    if enter:
        slicer.util.mainWindow().moduleSelector().selectModule(path.stem)
        slicer.app.processEvents()
    return widget


def _make_widget(module: qSlicerScriptedLoadableModule):
    import slicer

    panel = slicer.qSlicerScriptedLoadableModuleWidget()
    panel.setMRMLScene(slicer.mrmlScene)
    panel.setWindowTitle(module.title)

    def make() -> None:
        kind = getattr(sys.modules[module.name], module.name + "Widget")
        panel._python = kind(panel)
        setattr(slicer.modules, module.name + "Widget", panel._python)
        panel._python.setup()

    def reload() -> None:
        for child in panel.children():
            if child.isWidgetType():
                child.deleteLater()
        make()

    panel._reload = reload
    make()
    return panel


def unload_module(widget) -> None:
    """As Slicer at its end: exit(), cleanup(), and the panel goes."""
    import slicer

    name = widget.moduleName
    # a reload has put another widget in its place
    widget = getattr(slicer.modules, name + "Widget", widget)
    slicer.util.mainWindow().moduleSelector().selectModule("")
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(name)
    module = getattr(slicer.modules, name.lower())
    for editor in module.widget.findChildren(slicer.qMRMLSegmentEditorWidget):
        editor.clean_up_effects()
    module.widget.deleteLater()
    module.widget = None
    delattr(slicer.modules, name + "Widget")
    slicer.app.processEvents()
    # a scene that is closed keeps it, and what still observes it is of a panel that is gone
    for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
        if node.GetSingletonTag() == name:
            slicer.mrmlScene.RemoveNode(node)


def handle_events() -> None:
    """Handle what waits, deletions too: `deleteLater` waits for an event loop, which runs in Slicer and not in a test.

    Without it the panels of all earlier tests would go on following the scene, and each test would be slower than the
    one before.
    """
    import slicer
    from PySide6 import QtCore

    slicer.app.processEvents()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)


def select_module(name: str) -> None:
    """Open another module ("" or a name that there is not: leave the open one)."""
    import slicer

    slicer.util.mainWindow().moduleSelector().selectModule(name)
    slicer.app.processEvents()


# --- what a user does ---


def press(widget) -> None:
    """Click a button as a user could: it must be enabled and on screen."""
    import slicer

    assert widget.isVisible(), f"{widget.name} is not on screen"
    assert widget.isEnabled(), f"{widget.name} is disabled: {widget.toolTip}"
    widget.click()
    slicer.app.processEvents()


def press_key(keys: str) -> None:
    """Trigger the shortcut with these keys; there must be exactly one that is enabled."""
    import slicer
    from PySide6 import QtGui

    wanted = QtGui.QKeySequence(keys)
    window = slicer.util.mainWindow()
    found = [one for one in window.findChildren(QtGui.QShortcut) if one.isEnabled() and one.key == wanted]
    assert len(found) == 1, f"{len(found)} shortcuts are installed for {keys}"
    found[0].activated.emit()
    slicer.app.processEvents()


def shortcuts() -> list[str]:
    """Keys of the shortcuts that are enabled now."""
    import slicer
    from PySide6 import QtGui

    installed = slicer.util.mainWindow().findChildren(QtGui.QShortcut)
    return sorted(one.key.toString() for one in installed if one.isEnabled())


def wait_until(condition: Callable[[], object], seconds: float = 20.0):
    """Let the event loop run until the condition holds; returns its value."""
    import slicer

    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {getattr(condition, '__name__', condition)}")
        slicer.app.processEvents()
        time.sleep(0.002)


@contextmanager
def testing_mode() -> Iterator[None]:
    """slicer.app.testingEnabled() is true within, as when Slicer runs its self tests."""
    import slicer

    slicer.app._testing = True
    try:
        yield
    finally:
        slicer.app._testing = False
