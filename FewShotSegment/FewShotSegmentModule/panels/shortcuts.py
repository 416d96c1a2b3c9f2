"""Keyboard shortcuts of the module; they exist only while it is shown."""

from typing import NamedTuple

import qt
import slicer
from slicer.i18n import tr as _


class Shortcut(NamedTuple):
    """What a shortcut does (name of the action) and its keys, as Qt writes them ("Ctrl" is Command on macOS)."""

    action: str
    keys: str


# Not in use by Slicer's main window (Ctrl with F, O, S, W, H, Z, Y, L, X, C, V and digits), its views (letters, arrows,
# Ctrl+B) and the Segment Editor (digits, Shift+digits, Esc, Space, Z, Y, Q, W, I, / * , . < >, undo and redo).
SHORTCUTS = (
    Shortcut("propagate", "Ctrl+Shift+P"),
    Shortcut("accept", "Ctrl+Return"),
    Shortcut("reject", "Ctrl+Backspace"),
    Shortcut("correct", "Ctrl+Shift+U"),
    Shortcut("previousDoubtful", "Alt+Left"),
    Shortcut("nextDoubtful", "Alt+Right"),
    Shortcut("suggested", "Ctrl+Shift+G"),
)


def keysOf(action):
    """The keys of an action as this computer's keyboard calls them; empty if it has none."""
    for shortcut in SHORTCUTS:
        if shortcut.action == action:
            return qt.QKeySequence(shortcut.keys).toString(qt.QKeySequence.NativeText)
    return ""


def withKeys(text, action):
    """A tooltip that names the shortcut of its button."""
    keys = keysOf(action)
    return _("{text} ({keys})").format(text=text, keys=keys) if keys else text


class Shortcuts:
    """Installs the shortcuts and removes them.

    actions: action → callable without arguments; an action without one gets no shortcut.
    """

    def __init__(self, actions):
        self._actions = actions
        self._installed = []

    def install(self, parent=None):
        """Make them work in a window, by default Slicer's."""
        self.remove()
        parent = parent or slicer.util.mainWindow()
        if parent is None:  # Slicer without its window
            return
        for shortcut in SHORTCUTS:
            slot = self._actions.get(shortcut.action)
            if slot is None:
                continue
            installed = qt.QShortcut(parent)
            installed.setKey(qt.QKeySequence(shortcut.keys))
            installed.connect("activated()", slot)
            self._installed.append((installed, slot))

    def remove(self):
        """Take them away."""
        for installed, slot in self._installed:
            installed.disconnect("activated()", slot)
            installed.setParent(None)
            installed.deleteLater()
        self._installed = []
