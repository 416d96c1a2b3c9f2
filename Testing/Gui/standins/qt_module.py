"""The module ``qt``: the classes of QtCore, QtGui, QtWidgets and QtUiTools in one namespace, as PythonQt's."""

from __future__ import annotations

import sys
from types import ModuleType

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from standins.ui_loader import QUiLoader

ALSO = ("Qt", "Signal", "Slot", "Property")


def install() -> None:
    module = ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in dir(source):
            if name.startswith("Q") or name in ALSO:
                setattr(module, name, getattr(source, name))
    module.QUiLoader = QUiLoader
    QtWidgets.QApplication.exec_ = QtWidgets.QApplication.exec
    QtCore.QEventLoop.exec_ = QtCore.QEventLoop.exec
    sys.modules["qt"] = module
