"""What can be checked of a module's panel without knowing what it does.

Each function returns sentences about what is wrong; none is good.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

PRESSED = ("clicked", "toggled", "pressed", "released", "buttonClicked", "stateChanged", "checkStateChanged")
# made by Qt inside other widgets, not by the module
INSIDE = "qt_"


def ui_files(module_folder: Path) -> list[Path]:
    return sorted((module_folder / "Resources" / "UI").glob("*.ui"))


def ui_names(paths: Iterable[Path]) -> set[str]:
    """Names of all widgets and actions."""
    trees = [ElementTree.parse(path) for path in paths]
    return {element.get("name") for tree in trees for kind in ("widget", "action") for element in tree.iter(kind)}


# --- names in the code ---


def used_names(source: str) -> Iterator[tuple[str, int]]:
    """(NAME, line) of every ``….ui.NAME`` and ``ui.NAME``; also of those by getattr(….ui, "NAME")."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and _is_ui(node.value):
            yield node.attr, node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
            target, name = node.args[:2]
            if _is_ui(target) and isinstance(name, ast.Constant):
                yield name.value, node.lineno


def _is_ui(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "ui") or (isinstance(node, ast.Name) and node.id == "ui")


def names_without_widget(module_folder: Path) -> list[str]:
    """Widgets that the code uses and no .ui file has."""
    known = ui_names(ui_files(module_folder))
    found = []
    for path in sorted(module_folder.rglob("*.py")):
        if "Testing" in path.relative_to(module_folder).parts:
            continue
        found += [
            f"{path.relative_to(module_folder)}:{line}: ui.{name} is in no .ui file"
            for name, line in sorted(used_names(path.read_text(encoding="utf-8")), key=lambda use: use[1])
            if name not in known and not name.startswith("__")
        ]
    return found


def names_twice(module_folder: Path) -> list[str]:
    """Names that one .ui file has more than once: Qt would rename the second."""
    found = []
    for path in ui_files(module_folder):
        names = [element.get("name") for element in ElementTree.parse(path).iter("widget")]
        found += [f"{path.name}: {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return found


# --- parameters ---


def parameters_without_member(module_folder: Path, parameter_class) -> list[str]:
    """SlicerParameterName in a .ui file that the parameter node wrapper does not have."""
    found = []
    for path in ui_files(module_folder):
        for element in ElementTree.parse(path).iter("widget"):
            for entry in element.findall("property[@name='SlicerParameterName']"):
                name = "".join(entry.itertext()).strip()
                if name.split(".")[0] not in parameter_class.allParameters:
                    found.append(f"{path.name}: {element.get('name')} is bound to {name}, which is no parameter")
    return found


# --- buttons ---


def buttons_without_receiver(panel) -> list[str]:
    """Named buttons of the panel that do nothing: no receiver, no menu, no action, bound to no parameter.

    Those inside Slicer's and CTK's own widgets are not the module's; neither are collapsible sections.
    """
    from PySide6 import QtWidgets
    from standins.pythonqt import connections

    found = []
    for button in panel.findChildren(QtWidgets.QAbstractButton):
        name = button.objectName
        if not name or name.startswith(INSIDE) or button.className() == "ctkCollapsibleButton" or _is_inside(button):
            continue
        bound = button.property("SlicerParameterName")
        menu = button.menu() if hasattr(button, "menu") else None
        action = button.defaultAction() if hasattr(button, "defaultAction") else None
        group = button.group() if hasattr(button, "group") else None
        by_group = group is not None and connections(group, "buttonClicked", "buttonToggled", "idClicked", "idToggled")
        if not (bound or menu is not None or action is not None or by_group or connections(button, *PRESSED)):
            found.append(f"{name} ({button.className()}) is connected to nothing")
    return found


def _is_inside(widget) -> bool:
    """Whether the widget is a part of one of Slicer's or CTK's."""
    parent = widget.parent()
    while parent is not None:
        kind = parent.className()
        container = kind in ("ctkCollapsibleButton", "ctkCollapsibleGroupBox", "qMRMLWidget", "qSlicerWidget")
        if (
            kind.startswith(("ctk", "qMRML", "qSlicer"))
            and not container
            and "Module" not in kind
            and "Main" not in kind
        ):
            return True
        parent = parent.parent()
    return False


# --- looks ---


def cut_off(panel) -> list[str]:
    """Visible widgets whose text does not fit into them."""
    from PySide6 import QtWidgets

    found = []
    for widget in panel.findChildren(QtWidgets.QWidget):
        if not widget.isVisible() or not isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton)):
            continue
        if _is_inside(widget) or not widget.text or widget.className() == "ctkCollapsibleButton":
            continue
        needed = widget.minimumSizeHint
        wraps = isinstance(widget, QtWidgets.QLabel) and widget.wordWrap
        height = widget.heightForWidth(widget.width) if wraps else needed.height()
        if (not wraps and needed.width() > widget.width + 1) or height > widget.height + 1:
            found.append(
                f"{widget.name or widget.className()}: {widget.text!r} needs {needed.width()}×{height}, "
                f"has {widget.width}×{widget.height}"
            )
    return found
