"""A strip along the slices of a volume: how sure the result is of each, where the anchors are; a click goes there."""

import math
from typing import NamedTuple

import qt
from slicer.i18n import tr as _

from ..signals import Signal

HEIGHT = 78
MARGIN = 6
MARKER_HEIGHT = 12
TEXT_HEIGHT = 16
MARKER_SIZE = 4.5

SURE, UNSURE, DOUBTFUL = "sure", "unsure", "doubtful"

# Okabe and Ito's colors, which people with color-blindness tell apart; the blue is a lighter one on a dark background.
LIGHT_COLORS = {SURE: "#0072B2", UNSURE: "#E69F00", DOUBTFUL: "#D55E00"}
DARK_COLORS = {SURE: "#56B4E9", UNSURE: "#E69F00", DOUBTFUL: "#FF7F3F"}

HAND, CORRECTED, ABSENT = "hand", "corrected", "absent"


class StripData(NamedTuple):
    """What the strip shows.

    count: number of slices along the axis.
    word: what its slices are called, "axial".
    confidence: one value for each slice, 0 to 1, NaN where nothing is known; None if nothing is known of any.
    occupied: slices on which the segment is; the others' bars are not drawn.
    doubtful: slices that should be looked at.
    anchors: slice → "hand", "corrected" or "absent"; None if there are none.
    limits: first and last slice that may hold the structure, or None.
    current: slice on screen, or None.
    suggested: slice that is best annotated next, or None.
    unsureBelow: confidence below which a bar has the color in between.
    """

    count: int = 0
    word: str = ""
    confidence: tuple | None = None
    occupied: frozenset = frozenset()
    doubtful: frozenset = frozenset()
    anchors: dict | None = None
    limits: tuple | None = None
    current: int | None = None
    suggested: int | None = None
    unsureBelow: float = 0.8

    def level(self, index):
        """The level of a slice, which gives its bar the color; None without a bar."""
        if self.confidence is None or index not in self.occupied or math.isnan(self.confidence[index]):
            return None
        if index in self.doubtful:
            return DOUBTFUL
        return UNSURE if self.confidence[index] < self.unsureBelow else SURE

    def describe(self, index):
        """One line on a slice."""
        parts = [_("{word} {slice}").format(word=self.word, slice=index)]
        kind = (self.anchors or {}).get(index)
        if kind is not None:
            parts.append(kindText(kind))
        elif self.level(index) is not None:
            parts.append(_("confidence {percent} %").format(percent=round(100 * self.confidence[index])))
        if index == self.suggested:
            parts.append(_("suggested"))
        return ", ".join(parts)


def kindText(kind):
    """What a kind of anchor is called."""
    return {HAND: _("by hand"), CORRECTED: _("corrected"), ABSENT: _("not there")}.get(kind, kind)


def levelColor(widget, level):
    """The color of a level on a widget's background."""
    dark = widget.palette.color(qt.QPalette.Window).lightness() < 128
    return qt.QColor((DARK_COLORS if dark else LIGHT_COLORS)[level])


class _Events(qt.QObject):
    """Hands a label's events on.

    Methods of Qt's classes cannot be overridden reliably from Python in Slicer; event filters can.
    """

    def __init__(self, strip):
        qt.QObject.__init__(self)
        self.strip = strip

    def eventFilter(self, watched, event):
        """Called by Qt."""
        return self.strip.onEvent(event)


class StripPlot:
    """Draws StripData into a QLabel.

    Signals: clicked(index), the user clicked or dragged to a slice; recolored(), the label has another palette.
    """

    def __init__(self, label):
        self.clicked = Signal()
        self.recolored = Signal()
        self.data = StripData()
        self._label = label
        self._events = _Events(self)
        label.setFixedHeight(HEIGHT)
        label.setFocusPolicy(qt.Qt.StrongFocus)
        label.installEventFilter(self._events)

    def close(self):
        """Stop listening to the label."""
        self._label.removeEventFilter(self._events)

    def setData(self, data):
        """Show other data; the same are not drawn again."""
        if data != self.data:
            self.data = data
            self.render()

    def indexAt(self, x):
        """The slice at a position in the label, in pixels; None without slices."""
        if self.data.count < 1:
            return None
        position = (x - MARGIN) / max(self._label.width - 2 * MARGIN, 1)
        return min(max(int(position * self.data.count), 0), self.data.count - 1)

    def positionOf(self, index):
        """The middle of a slice in the label, in pixels."""
        return MARGIN + (index + 0.5) * (self._label.width - 2 * MARGIN) / max(self.data.count, 1)

    # --- events ---

    def onEvent(self, event):
        """React to an event of the label; returns whether that was all there is to do."""
        kind = event.type()
        if kind in (qt.QEvent.Resize, qt.QEvent.PaletteChange, qt.QEvent.FocusIn, qt.QEvent.FocusOut):
            self.render()
            if kind == qt.QEvent.PaletteChange:
                self.recolored.emit()
            return False
        if kind in (qt.QEvent.MouseButtonPress, qt.QEvent.MouseMove) and event.buttons() & qt.Qt.LeftButton:
            return self._click(self.indexAt(event.pos().x()))
        if kind == qt.QEvent.ToolTip and self.data.count:
            index = self.indexAt(event.pos().x())
            qt.QToolTip.showText(event.globalPos(), self.data.describe(index), self._label)
            return True
        if kind == qt.QEvent.KeyPress and self.data.current is not None and event.modifiers() == qt.Qt.NoModifier:
            return self._key(event.key())
        return False

    def _click(self, index):
        if index is None:
            return False
        self.clicked.emit(index)
        return True

    def _key(self, key):
        last = self.data.count - 1
        targets = {
            qt.Qt.Key_Left: max(self.data.current - 1, 0),
            qt.Qt.Key_Right: min(self.data.current + 1, last),
            qt.Qt.Key_Home: 0,
            qt.Qt.Key_End: last,
        }
        return self._click(targets[key]) if key in targets else False

    # --- drawing ---

    def render(self):
        """Draw anew."""
        width = self._label.width
        if width < 4 * MARGIN:
            return
        ratio = self._label.devicePixelRatioF()
        pixmap = qt.QPixmap(round(width * ratio), round(HEIGHT * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(self._color("Window"))
        painter = qt.QPainter()
        painter.begin(pixmap)
        try:
            self._draw(painter, width)
        finally:
            painter.end()
        self._label.setPixmap(pixmap)

    def _color(self, role):
        return self._label.palette.color(getattr(qt.QPalette, role))

    def _draw(self, painter, width):
        top, bottom = MARKER_HEIGHT, HEIGHT - TEXT_HEIGHT
        inner = width - 2 * MARGIN
        painter.fillRect(MARGIN, top, inner, bottom - top, self._color("Base"))
        if self.data.count:
            self._drawLimits(painter, top, bottom)
            self._drawBars(painter, inner, top, bottom)
            self._drawCurrent(painter, bottom)
            self._drawMarkers(painter)
            self._drawText(painter, inner, bottom)
        painter.setPen(qt.QPen(self._color("Highlight" if self._label.focus else "Mid")))
        painter.drawRect(MARGIN, top, inner - 1, bottom - top)

    def _drawLimits(self, painter, top, bottom):
        """Slices outside the range are shaded."""
        if self.data.limits is None:
            return
        step = (self._label.width - 2 * MARGIN) / self.data.count
        first, last = (MARGIN + self.data.limits[0] * step, MARGIN + (self.data.limits[1] + 1) * step)
        shade = qt.QBrush(self._color("Mid"), qt.Qt.BDiagPattern)
        right = self._label.width - MARGIN
        painter.fillRect(MARGIN, top, max(round(first) - MARGIN, 0), bottom - top, shade)
        painter.fillRect(round(last), top, max(right - round(last), 0), bottom - top, shade)

    def _drawBars(self, painter, inner, top, bottom):
        """One bar for each slice; where there are more slices than pixels, that of the least sure one in each pixel."""
        data = self.data
        columns = min(inner, data.count)
        for column in range(columns):
            slices = range(column * data.count // columns, max((column + 1) * data.count // columns, 1))
            levels = {index: data.level(index) for index in slices}
            shown = [index for index, level in levels.items() if level is not None]
            if not shown:
                continue
            index = min(shown, key=lambda index: (levels[index] != DOUBTFUL, data.confidence[index]))
            height = max(round(min(max(data.confidence[index], 0.0), 1.0) * (bottom - top - 2)), 2)
            left = MARGIN + column * inner // columns
            right = MARGIN + (column + 1) * inner // columns
            gap = 1 if right - left > 3 else 0
            painter.fillRect(left, bottom - height, right - left - gap, height, levelColor(self._label, levels[index]))

    def _drawCurrent(self, painter, bottom):
        if self.data.current is None or not 0 <= self.data.current < self.data.count:
            return
        x = round(self.positionOf(self.data.current))
        painter.setPen(qt.QPen(self._color("WindowText")))
        painter.drawLine(x, MARKER_HEIGHT - 2, x, bottom)

    def _drawMarkers(self, painter):
        painter.setRenderHint(qt.QPainter.Antialiasing)
        middle = MARKER_HEIGHT / 2
        ink = self._color("WindowText")
        for index, kind in (self.data.anchors or {}).items():
            x = self.positionOf(index)
            if kind == HAND:
                self._shape(painter, x, middle, ((-1, -1), (1, -1), (0, 1)), ink, filled=True)
            elif kind == CORRECTED:
                self._shape(painter, x, middle, ((-1, 0), (0, -1), (1, 0), (0, 1)), ink, filled=True)
            else:
                self._shape(painter, x, middle, ((-1, -1), (1, 1), (0, 0), (-1, 1), (1, -1), (0, 0)), ink, filled=False)
        if self.data.suggested is not None:
            ring = [(math.cos(turn / 6 * math.pi), math.sin(turn / 6 * math.pi)) for turn in range(12)]
            self._shape(painter, self.positionOf(self.data.suggested), middle, ring, ink, filled=False)

    @staticmethod
    def _shape(painter, x, y, corners, color, filled):
        path = qt.QPainterPath()
        path.moveTo(x + corners[0][0] * MARKER_SIZE, y + corners[0][1] * MARKER_SIZE)
        for across, down in corners[1:]:
            path.lineTo(x + across * MARKER_SIZE, y + down * MARKER_SIZE)
        path.closeSubpath()
        if filled:
            painter.fillPath(path, qt.QBrush(color))
        else:
            painter.strokePath(path, qt.QPen(color))

    def _drawText(self, painter, inner, bottom):
        painter.setPen(qt.QPen(self._color("WindowText")))
        box = qt.QRect(MARGIN, bottom, inner, TEXT_HEIGHT)
        middle = "" if self.data.current is None else self.data.describe(self.data.current)
        for flag, text in (
            (qt.Qt.AlignLeft, "0"),
            (qt.Qt.AlignHCenter, middle),
            (qt.Qt.AlignRight, str(self.data.count - 1)),
        ):
            painter.drawText(box, int(flag) | int(qt.Qt.AlignVCenter), text)
