"""How a widget shows and changes a value; a pair of widget and type that Slicer cannot connect is an error."""

import enum
import pathlib

import ctk
import qt
import slicer

from . import annotations as marks


class Connector:
    """A widget with its value, and a function called when the user changes it."""

    def __init__(self, widget, read, write, signal):
        self.widget, self.read, self.write = widget, read, write
        self._signal, self._callback = signal, None

    def onChanged(self, callback):
        if self._callback is not None:
            self._signal.disconnect(self._tell)
        self._callback = callback
        if callback is not None:
            self._signal.connect(self._tell)

    def _tell(self):
        self._callback()


def connectorFor(widget, annotated):
    """By the exact class of the widget, as in Slicer."""
    kind, annotations = marks.split(annotated)
    maker = _MAKERS.get(type(widget))
    connector = maker(widget, kind, annotations) if maker is not None else None
    if connector is None:
        raise RuntimeError(f"Unable to create GUI connector from datatype '{annotated}' to widget '{type(widget)}'")
    return connector


def _property(widget, name, signal, convert=lambda value: value):
    return Connector(widget, lambda: getattr(widget, name), lambda value: setattr(widget, name, convert(value)), signal)


def _checkBox(widget, kind, _annotations):
    return _property(widget, "checked", widget.stateChanged) if kind is bool else None


def _pushButton(widget, kind, _annotations):
    if kind is not bool:
        return None
    widget.checkable = True
    return _property(widget, "checked", widget.toggled)


def _number(wanted, mustBeBounded):
    def make(widget, kind, annotations):
        if kind is not wanted:
            return None
        decimals = marks.first(annotations, marks.Decimals)
        step = marks.first(annotations, marks.SingleStep)
        bounds = marks.first(annotations, marks.WithinRange)
        low = marks.first(annotations, (marks.WithinRange, marks.Minimum))
        high = marks.first(annotations, (marks.WithinRange, marks.Maximum))
        if mustBeBounded and bounds is None and (low is None or high is None):
            raise RuntimeError(f"{widget.name}: a slider needs a range, Annotated[…, WithinRange(…)]")
        if decimals is not None:
            widget.decimals = decimals.value
        if step is not None:
            widget.singleStep = step.value
        least, most = (-(2**31), 2**31 - 1) if wanted is int else (float("-inf"), float("inf"))
        widget.minimum = low.minimum if low is not None else least
        widget.maximum = high.maximum if high is not None else most
        return _property(widget, "value", widget.valueChanged)

    return make


def _comboBox(widget, kind, annotations):
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        choices = list(kind)
        labels = [kind.label(one) if hasattr(kind, "label") else one.name for one in choices]
    elif kind in (int, float, str, bool):
        choice = marks.first(annotations, marks.Choice)
        if choice is None:
            raise RuntimeError(f"{widget.name}: a combo box needs Annotated[…, Choice(…)]")
        choices, labels = choice.choices, [str(one) for one in choice.choices]
    else:
        return None
    widget.clear()
    widget.addItems(labels)
    return Connector(
        widget,
        lambda: choices[widget.currentIndex],
        lambda value: setattr(widget, "currentIndex", choices.index(value)),
        widget.currentIndexChanged,
    )


def _lineEdit(widget, kind, _annotations):
    return _property(widget, "text", widget.textChanged) if kind is str else None


def _textEdit(widget, kind, _annotations):
    return _property(widget, "plainText", widget.textChanged) if kind is str else None


def _path(name, signal):
    def make(widget, kind, _annotations):
        if not (isinstance(kind, type) and issubclass(kind, pathlib.PurePath)):
            return None
        connector = _property(widget, name, getattr(widget, signal), str)
        return Connector(widget, lambda: kind(getattr(widget, name)), connector.write, getattr(widget, signal))

    return make


def _nodeComboBox(widget, kind, _annotations):
    parts = [one for one in getattr(kind, "__args__", (kind,)) if one is not type(None)]
    if not all(isinstance(one, type) and issubclass(one, slicer.vtkMRMLNode) for one in parts):
        return None
    widget.nodeTypes = [one().GetClassName() for one in parts]
    return Connector(widget, widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged)


_MAKERS = {
    qt.QCheckBox: _checkBox,
    qt.QPushButton: _pushButton,
    qt.QSpinBox: _number(int, False),
    qt.QSlider: _number(int, True),
    qt.QDoubleSpinBox: _number(float, False),
    ctk.ctkSliderWidget: _number(float, True),
    qt.QComboBox: _comboBox,
    qt.QLineEdit: _lineEdit,
    qt.QTextEdit: _textEdit,
    ctk.ctkPathLineEdit: _path("currentPath", "currentPathChanged"),
    ctk.ctkDirectoryButton: _path("directory", "directoryChanged"),
    slicer.qMRMLNodeComboBox: _nodeComboBox,
}
