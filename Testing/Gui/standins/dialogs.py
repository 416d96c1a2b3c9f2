"""What would be shown to a user and wait for an answer: recorded, and answered by the test.

``dialogs.answer(True)`` before the click that asks; a dialog that nobody announced is a failure of the test, and is
answered with No, Cancel or nothing, as closing its window would.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import slicer
import slicer.util
from PySide6 import QtGui, QtWidgets

Box = QtWidgets.QMessageBox
POSITIVE = (Box.Yes, Box.Ok, Box.Retry, Box.Save, Box.Open, Box.Apply, Box.YesToAll)
NEGATIVE = (Box.No, Box.Cancel, Box.Close, Box.Discard, Box.Abort, Box.Ignore)


class Shown(NamedTuple):
    """One dialog that was shown."""

    kind: str
    """"info", "warning", "error", "question", "file", "text", "menu", "dialog" or "popup" (closes by itself)."""
    text: str
    title: str
    announced: bool


class Announced(NamedTuple):
    kind: str
    containing: str
    value: Any


class Dialogs:
    """The dialogs of one test."""

    def __init__(self):
        self.clear()

    def clear(self) -> None:
        self.shown: list[Shown] = []
        self.opened: list[str] = []
        """Addresses and folders that were to be opened outside Slicer."""
        self._announced: deque[Announced] = deque()

    def answer(self, value: Any = True, *, containing: str = "", kind: str = "") -> None:
        """Announce the next dialog and its answer.

        True and False press the positive and the other button; a text is the path for a file dialog, the input for a
        text dialog, or the label of the button or menu entry to press; a function is called with the dialog.
        """
        self._announced.append(Announced(kind, containing, value))

    def expect(self, kind: str, containing: str = "") -> None:
        """Announce a dialog that only tells something: "info", "warning" or "error"."""
        self.answer(True, containing=containing, kind=kind)

    def texts(self, kind: str = "") -> list[str]:
        """What was said so far."""
        return [shown.text for shown in self.shown if kind in ("", shown.kind)]

    def problems(self) -> list[str]:
        """Dialogs nobody announced, and announced ones that did not come."""
        unexpected = [f"unexpected {one.kind}: {one.title}: {one.text}" for one in self.shown if not one.announced]
        missing = [f"no {one.kind or 'dialog'} with {one.containing!r} was shown" for one in self._announced]
        return unexpected + missing

    def show(self, kind: str, text: str, title: str = "") -> Any:
        """Called instead of showing: the announced answer, or None."""
        announced = bool(self._announced) and self._fits(self._announced[0], kind, text)
        self.shown.append(Shown(kind, str(text), str(title or ""), announced))
        return self._announced.popleft().value if announced else None

    @staticmethod
    def _fits(announced: Announced, kind: str, text: str) -> bool:
        return announced.kind in ("", kind) and announced.containing.lower() in str(text).lower()


dialogs = Dialogs()


def button_for(answer: Any, buttons: int) -> int:
    """The standard button that the answer presses."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        return answer
    wanted = POSITIVE if answer else NEGATIVE + POSITIVE
    return next((button for button in wanted if button & buttons), Box.NoButton)


# --- slicer.util ---

KINDS = {Box.Information: "info", Box.Warning: "warning", Box.Critical: "error", Box.Question: "question"}


def _message_display(level, text, _testing_value, mainWindowNeeded=False, parent=None, windowTitle=None, **details):
    logging.log(min(level, logging.WARNING), "shown to the user: %s", text)
    kind = KINDS[details.get("icon", Box.Information)]
    answer = dialogs.show(kind, text, windowTitle)
    return button_for(answer, details.get("standardButtons") or Box.Ok)


def _message_box(text, parent=None, **details):
    answer = dialogs.show(KINDS.get(details.get("icon"), "info"), text, details.get("windowTitle"))
    return button_for(answer, details.get("standardButtons") or Box.Ok)


def _delay_display(message, autoCloseMsec=1000, parent=None, **_details):
    slicer.app.processEvents()
    if not 0 <= autoCloseMsec < 400:  # shorter ones show nothing in Slicer either
        dialogs.show("popup", message)


# --- Qt ---


def _static_box(kind: str, default_buttons: int) -> Callable:
    def show(parent, title, text, buttons=default_buttons, _default_button=None):
        return button_for(dialogs.show(kind, text, title), buttons)

    return staticmethod(show)


def _run_message_box(box) -> int:
    answer = dialogs.show(KINDS.get(box.icon, "info"), box.text, box.windowTitle)
    if isinstance(answer, str):
        (button,) = [one for one in box.buttons() if one.text.replace("&", "") == answer]
        button.click()
        return box.standardButton(button)
    return answer(box) if callable(answer) else button_for(answer, box.standardButtons)


def _run_dialog(dialog) -> int:
    if isinstance(dialog, Box):
        return _run_message_box(dialog)
    if isinstance(dialog, QtWidgets.QFileDialog):
        answer = dialogs.show("file", dialog.windowTitle)
        if answer:
            dialog.selectFile(str(answer))
        return int(bool(answer))
    answer = dialogs.show("dialog", dialog.windowTitle or type(dialog).__name__)
    if callable(answer):
        return int(answer(dialog) or 0)
    dialog.accept() if answer else dialog.reject()
    return int(bool(answer))


def _run_menu(menu, *_position):
    answer = dialogs.show("menu", ", ".join(action.text for action in menu.actions()))
    for action in menu.actions():
        if isinstance(answer, str) and action.text.replace("&", "") == answer:
            action.trigger()
            return action
    return None


def _file(kind: str, empty: Any) -> Callable:
    def show(_parent=None, title="", folder="", filters="", *_options):
        return dialogs.show("file", title or kind, filters) or empty

    return staticmethod(show)


def _text(_parent, title, label, *_more):
    answer = dialogs.show("text", label, title)
    return answer if isinstance(answer, str) else ""


def _open_outside(url) -> bool:
    dialogs.opened.append(url.toString() if hasattr(url, "toString") else str(url))
    return True


def install() -> None:
    """Replace what would show something and wait."""
    slicer.util._messageDisplay = _message_display
    slicer.util.messageBox = _message_box
    slicer.util.delayDisplay = _delay_display
    for kind, name, buttons in (
        ("info", "information", Box.Ok),
        ("warning", "warning", Box.Ok),
        ("error", "critical", Box.Ok),
        ("question", "question", Box.Yes | Box.No),
        ("info", "about", Box.Ok),
    ):
        setattr(Box, name, _static_box(kind, buttons))
    for kind in (QtWidgets.QDialog, Box, QtWidgets.QFileDialog, QtWidgets.QProgressDialog, QtWidgets.QInputDialog):
        kind.exec = kind.exec_ = kind.open = _run_dialog
    QtWidgets.QMenu.exec = QtWidgets.QMenu.exec_ = QtWidgets.QMenu.popup = _run_menu
    file_dialog = QtWidgets.QFileDialog
    file_dialog.getOpenFileName = _file("open a file", "")
    file_dialog.getOpenFileNames = _file("open files", [])
    file_dialog.getSaveFileName = _file("save a file", "")
    file_dialog.getExistingDirectory = _file("choose a folder", "")
    for name in ("getText", "getItem", "getMultiLineText"):
        setattr(QtWidgets.QInputDialog, name, staticmethod(_text))
    QtGui.QDesktopServices.openUrl = staticmethod(_open_outside)
