"""Slicer's Qt half on PySide6: modules qt and ctk, slicer.app, slicer.modules and the widgets slicer.qMRML*, slicer.q*.

slicer-core brings Slicer's C++ classes and slicer.util without Qt; here is what a scripted module's panel needs, too.
Two things hold throughout: what Slicer's own class does not have is an error here, so that a misspelt property cannot
pass a test; and nothing opens a window or waits for a user. Names are those of Slicer and Qt.
"""

from __future__ import annotations

import ctypes
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# PythonQt's enums are integers; PySide6 has to be told before it is imported (IntEnum and IntFlag, with shortcuts)
os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x06"

if sys.version_info < (3, 12):
    # PySide6 6.12 gives a reference to None away with each call that returns nothing, which only Python 3.12 puts up
    # with: earlier ones abort after some thousand calls
    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 60
