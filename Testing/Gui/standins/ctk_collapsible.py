"""ctkCollapsibleButton and ctkCollapsibleGroupBox: a header that shows and hides what lies under it."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from standins.properties import kept, with_setters


class _Collapsible:
    """Hides its child widgets while unchecked, and remembers which of them code has hidden by itself."""

    def _start(self, arguments) -> None:
        self._hidden: dict[QtWidgets.QWidget, bool] = {}
        self._busy = False
        self.setCheckable(True)
        self.setChecked(True)
        if arguments and isinstance(arguments[0], str):
            (self.setText if hasattr(self, "setText") else self.setTitle)(arguments[0])
        self.toggled.connect(self._apply)

    def _apply(self, opened: bool) -> None:
        self._busy = True
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            if opened:
                child.setVisible(self._hidden.pop(child, child.isVisibleTo(self)))
            else:
                self._hidden[child] = child.isVisibleTo(self)
                self._hide(child)
        self._busy = False
        self.updateGeometry()

    @staticmethod
    def _hide(child) -> None:
        child.hide()
        # else Qt says nothing when code hides it, too
        child.setAttribute(QtCore.Qt.WA_WState_ExplicitShowHide, False)

    def childEvent(self, event) -> None:
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and "_busy" in self.__dict__:
            child.installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child, event) -> bool:
        """What code shows inside a closed one appears when it opens."""
        if not self._busy and not self.isChecked():
            if event.type() == QtCore.QEvent.ShowToParent:
                self._busy = True
                self._hidden[child] = True
                self._hide(child)
                self._busy = False
            elif event.type() == QtCore.QEvent.HideToParent:
                self._hidden[child] = False
        return False


def _parent(arguments):
    return next((one for one in arguments if isinstance(one, QtWidgets.QWidget)), None)


@with_setters
class ctkCollapsibleButton(_Collapsible, QtWidgets.QAbstractButton):
    """Open when checked, as in CTK."""

    contentsCollapsed = Signal(bool)

    contentsFrameShape = kept(int, "contentsFrameShape", 0)
    contentsFrameShadow = kept(int, "contentsFrameShadow", 16)
    contentsLineWidth = kept(int, "contentsLineWidth", 1)
    contentsMidLineWidth = kept(int, "contentsMidLineWidth", 0)
    collapsedHeight = kept(int, "collapsedHeight", 10)
    buttonTextAlignment = kept(int, "buttonTextAlignment", 132)
    indicatorAlignment = kept(int, "indicatorAlignment", 132)
    flat = kept(bool, "flat", False)

    def __init__(self, *arguments):
        super().__init__(_parent(arguments))
        self._start(arguments)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header(), 0, 0)
        self.toggled.connect(lambda opened: self.contentsCollapsed.emit(not opened))

    def _header(self) -> int:
        return self.fontMetrics().height() + 8

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, value: self.setChecked(not value))

    def hitButton(self, position) -> bool:
        return position.y() < self._header()

    def sizeHint(self):
        hint = QtWidgets.QWidget.sizeHint(self)
        return hint.expandedTo(QtCore.QSize(self.fontMetrics().horizontalAdvance(self.text) + 40, self._header()))

    def minimumSizeHint(self):
        return QtCore.QSize(60, self._header()).expandedTo(QtWidgets.QWidget.minimumSizeHint(self))

    def paintEvent(self, _event) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, self._header())
        option.state |= QtWidgets.QStyle.State_Sunken if self.isDown() else QtWidgets.QStyle.State_Raised
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, (self._header() - 10) // 2, 10, 10)
        shape = QtWidgets.QStyle.PE_IndicatorArrowDown if self.isChecked() else QtWidgets.QStyle.PE_IndicatorArrowRight
        painter.drawPrimitive(shape, arrow)
        painter.setPen(self.palette.color(QtGui.QPalette.ButtonText))
        painter.drawText(option.rect.adjusted(24, 0, -4, 0), QtCore.Qt.AlignVCenter, self.text)


@with_setters
class ctkCollapsibleGroupBox(_Collapsible, QtWidgets.QGroupBox):
    """A group box whose check mark opens it; ``title`` is QGroupBox's."""

    collapsedHeight = kept(int, "collapsedHeight", 14)

    def __init__(self, *arguments):
        super().__init__(_parent(arguments))
        self._start(arguments)

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, value: self.setChecked(not value))
