"""CTK's widgets for numbers: sliders with a spin box, and ranges."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from standins.properties import kept, with_setters

STEPS = 1000  # of the integer slider behind


def _of_box(name: str, kind: type) -> Property:
    """A property of the spin box inside."""

    def get(self):
        return kind(getattr(self._box, name))

    def set_(self, value):
        setattr(self._box, name, value)
        self._follow()

    return Property(kind, get, set_)


@with_setters
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a spin box with one value. With tracking off the value changes when the slider is let go."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)

    minimum = _of_box("minimum", float)
    maximum = _of_box("maximum", float)
    singleStep = _of_box("singleStep", float)
    decimals = _of_box("decimals", int)
    prefix = _of_box("prefix", str)
    suffix = _of_box("suffix", str)
    pageStep = kept(float, "pageStep", 1.0)
    tickInterval = kept(float, "tickInterval", 0.0)
    orientation = kept(int, "orientation", 1)
    tracking = kept(bool, "tracking", True)
    invertedAppearance = kept(bool, "invertedAppearance", False)
    synchronizeSiblings = kept(int, "synchronizeSiblings", 0)
    popupSlider = kept(bool, "popupSlider", False)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._slider.setRange(0, STEPS)
        self._box = QtWidgets.QDoubleSpinBox()
        self._box.setRange(0, 99)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._box_changed)
        self._slider.valueChanged.connect(self._slider_moved)
        self._slider.sliderReleased.connect(lambda: self._slider_moved(self._slider.value, released=True))

    value = Property(float, lambda self: self._box.value, lambda self, value: self._box.setValue(value))
    spinBoxVisible = Property(
        bool, lambda self: not self._box.isHidden(), lambda self, shown: self._box.setVisible(shown)
    )

    def setRange(self, minimum: float, maximum: float) -> None:
        self._box.setRange(minimum, maximum)
        self._follow()

    def reset(self) -> None:
        self.setValue(0.0)

    def slider(self):
        return self._slider

    def spinBox(self):
        return self._box

    def _follow(self) -> None:
        width = self._box.maximum - self._box.minimum
        self._slider.blockSignals(True)
        self._slider.setValue(round(STEPS * (self._box.value - self._box.minimum) / width) if width else 0)
        self._slider.blockSignals(False)

    def _box_changed(self, value: float) -> None:
        self._follow()
        self.valueChanged.emit(value)

    def _slider_moved(self, step: int, released: bool = False) -> None:
        value = self._box.minimum + step / STEPS * (self._box.maximum - self._box.minimum)
        self.valueIsChanging.emit(value)
        if self.tracking or released or not self._slider.isSliderDown():
            self._box.setValue(value)


class ctkDoubleSlider(ctkSliderWidget):
    """Shown without the spin box."""

    sliderMoved = Signal(float)
    sliderReleased = Signal()

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None)
        self._box.hide()
        self._slider.sliderReleased.connect(self.sliderReleased)


class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """Qt's, with CTK's name."""


@with_setters
class ctkRangeWidget(QtWidgets.QWidget):
    """Two values inside a range."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    rangeChanged = Signal(float, float)

    singleStep = kept(float, "singleStep", 1.0)
    decimals = kept(int, "decimals", 2, "_show")
    prefix = kept(str, "prefix", "")
    suffix = kept(str, "suffix", "")
    tracking = kept(bool, "tracking", True)
    tickInterval = kept(float, "tickInterval", 0.0)
    symmetricMoves = kept(bool, "symmetricMoves", False)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._low, self._high, self._minimum, self._maximum = 0.0, 99.0, 0.0, 99.0
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._boxes = [QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()]
        for box in self._boxes:
            layout.addWidget(box, 1)
            box.valueChanged.connect(self._edited)
        self._show()

    minimumValue = Property(float, lambda self: self._low, lambda self, value: self.setValues(value, self._high))
    maximumValue = Property(float, lambda self: self._high, lambda self, value: self.setValues(self._low, value))
    minimum = Property(float, lambda self: self._minimum, lambda self, value: self.setRange(value, self._maximum))
    maximum = Property(float, lambda self: self._maximum, lambda self, value: self.setRange(self._minimum, value))

    def setRange(self, minimum: float, maximum: float) -> None:
        self._minimum, self._maximum = float(minimum), float(max(minimum, maximum))
        self.rangeChanged.emit(self._minimum, self._maximum)
        self.setValues(self._low, self._high)

    def setValues(self, low: float, high: float) -> None:
        low, high = (float(min(max(value, self._minimum), self._maximum)) for value in sorted((low, high)))
        old = self._low, self._high
        self._low, self._high = low, high
        self._show()
        if low != old[0]:
            self.minimumValueChanged.emit(low)
        if high != old[1]:
            self.maximumValueChanged.emit(high)
        if (low, high) != old:
            self.valuesChanged.emit(low, high)

    def values(self) -> tuple[float, float]:
        return self._low, self._high

    def _show(self) -> None:
        for box, value in zip(self._boxes, (self._low, self._high), strict=True):
            box.blockSignals(True)
            box.decimals = self.decimals
            box.setRange(self._minimum, self._maximum)
            box.value = value
            box.blockSignals(False)

    def _edited(self) -> None:
        self.setValues(*(box.value for box in self._boxes))


class ctkDoubleRangeSlider(ctkRangeWidget):
    """Looks otherwise, says the same."""
