"""QUiLoader that makes Slicer's widgets and the connections of the .ui file, and refuses what Slicer would not know."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import slicer
from PySide6 import QtCore, QtUiTools, QtWidgets

from standins.pythonqt import loading, properties_of

DYNAMIC = {"SlicerParameterName", "SlicerPackParameterName"}


class UiError(RuntimeError):
    """The .ui file says what Slicer could not do."""


class QUiLoader(QtUiTools.QUiLoader):
    """``loader.load(qfile)`` as slicer.util.loadUI calls it."""

    def createWidget(self, kind: str, parent=None, name: str = ""):
        stand_in = _stand_in(kind)
        if stand_in is None:
            return super().createWidget(kind, parent, name)
        widget = stand_in(parent)
        widget.setObjectName(name)
        return widget

    def load(self, file, parent=None):
        file.close()
        path = Path(file.fileName())
        root = ElementTree.parse(path).getroot()
        self._check_classes(path, root)
        section = root.find("connections")
        connections = [] if section is None else list(section)
        if section is not None:
            root.remove(section)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        with loading():
            widget = super().load(buffer, parent)
        if widget is None:
            raise UiError(f"{path.name}: {self.errorString()}")
        objects = {child.name: child for child in [widget, *widget.findChildren(QtCore.QObject)] if child.name}
        _check_properties(path, root, objects)
        for connection in connections:
            sender, signal, receiver, slot = (connection.findtext(tag) for tag in _CONNECTION)
            objects[sender].connect(signal, objects[receiver], slot)
        return widget

    def _check_classes(self, path: Path, root) -> None:
        known = {*self.availableWidgets(), "Line"}
        for element in root.iter("widget"):
            kind = element.get("class")
            if _stand_in(kind) is None and kind not in known:
                raise UiError(f"{path.name}: {element.get('name')} is a {kind}, of which there is no stand-in")


_CONNECTION = ("sender", "signal", "receiver", "slot")


def _stand_in(kind: str):
    import ctk

    for namespace in (ctk, slicer):
        found = getattr(namespace, kind, None)
        if isinstance(found, type) and issubclass(found, QtWidgets.QWidget):
            return found
    return None


def _check_properties(path: Path, root, objects: dict) -> None:
    """Qt makes a dynamic property of a misspelt one, without a word."""
    for element in root.iter("widget"):
        widget = objects.get(element.get("name"))
        if widget is None:
            continue
        known = {*properties_of(widget), *DYNAMIC}
        for entry in element.findall("property"):
            name = entry.get("name")
            # "orientation" of a Line is translated by Qt
            if name not in known and not (element.get("class") == "Line" and name == "orientation"):
                raise UiError(f"{path.name}: {element.get('name')} ({element.get('class')}) has no property {name}")
