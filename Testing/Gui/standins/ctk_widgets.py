"""The module ``ctk``: what the panels may use of it, and CTK's small variations of Qt's widgets."""

from __future__ import annotations

import sys
from types import ModuleType

from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from standins import ctk_collapsible, ctk_values
from standins.properties import kept, with_setters


@with_setters
class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for a path, and a button that asks for one."""

    currentPathChanged = Signal(str)
    Files, Dirs, Readable, Writable, Executable, Drives, NoSymLinks = 2, 1, 16, 32, 64, 4, 8

    label = kept(str, "label", "")
    filters = kept(int, "filters", 0)
    nameFilters = kept(list, "nameFilters", [])
    settingKey = kept(str, "settingKey", "")
    showBrowseButton = kept(bool, "showBrowseButton", True)
    showHistoryButton = kept(bool, "showHistoryButton", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._line = QtWidgets.QLineEdit()
        self._button = QtWidgets.QToolButton()
        self._button.setText("…")
        layout.addWidget(self._line, 1)
        layout.addWidget(self._button)
        self._line.textChanged.connect(self.currentPathChanged)
        self._button.clicked.connect(self.browse)

    currentPath = Property(str, lambda self: self._line.text, lambda self, path: self._line.setText(path))

    def browse(self) -> None:
        """As the button does."""
        ask = QtWidgets.QFileDialog.getExistingDirectory if self.filters & self.Dirs else None
        path = (ask or QtWidgets.QFileDialog.getOpenFileName)(self, self.label or "path")
        if path:
            self.setCurrentPath(path)

    def addCurrentPathToHistory(self) -> None:
        pass


@with_setters
class ctkDirectoryButton(QtWidgets.QPushButton):
    """A button that shows a folder and asks for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    caption = kept(str, "caption", "")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._folder = ""
        self.clicked.connect(self.browse)

    def _set(self, folder: str) -> None:
        changed, self._folder = folder != self._folder, folder
        self.setText(folder)
        if changed:
            self.directoryChanged.emit(folder)

    directory = Property(str, lambda self: self._folder, _set)

    def browse(self) -> None:
        folder = QtWidgets.QFileDialog.getExistingDirectory(self, self.caption or "folder")
        if folder:
            self.setDirectory(folder)
            self.directorySelected.emit(folder)


@with_setters
class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button with a color."""

    colorChanged = Signal(QtGui.QColor)

    def _set(self, color) -> None:
        changed = color != self.__dict__.get("_color")
        self._color = color
        if changed:
            self.colorChanged.emit(color)

    color = Property(QtGui.QColor, lambda self: self.__dict__.get("_color", QtGui.QColor()), _set)


class ctkWidgetsUtils:
    @staticmethod
    def grabWidget(widget):
        return widget.grab().toImage()


VARIATIONS = {
    "ctkCheckBox": QtWidgets.QCheckBox,
    "ctkCheckableComboBox": QtWidgets.QComboBox,
    "ctkCheckablePushButton": QtWidgets.QPushButton,
    "ctkComboBox": QtWidgets.QComboBox,
    "ctkExpandableWidget": QtWidgets.QFrame,
    "ctkFittedTextBrowser": QtWidgets.QTextBrowser,
    "ctkMenuButton": QtWidgets.QPushButton,
    "ctkMessageBox": QtWidgets.QMessageBox,
    "ctkPushButton": QtWidgets.QPushButton,
    "ctkSearchBox": QtWidgets.QLineEdit,
}


def install() -> None:
    module = ModuleType("ctk")
    for source in (ctk_collapsible, ctk_values, sys.modules[__name__]):
        for name, value in vars(source).items():
            if name.startswith("ctk") and isinstance(value, type):
                setattr(module, name, value)
    for name, base in VARIATIONS.items():
        setattr(module, name, type(name, (base,), {"__module__": __name__}))
    sys.modules["ctk"] = module
