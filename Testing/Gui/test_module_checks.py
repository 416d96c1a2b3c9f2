"""What holds of all sections of the real panel: names, connections, parameters, tooltips, and texts that fit."""

from __future__ import annotations

import ast

import pytest

SECTIONS = (
    "annotationSection",
    "propagateSection",
    "reviewSection",
    "anchorsSection",
    "volumesSection",
    "finetuneSection",
    "setupSection",
)
NARROW = 360


@pytest.fixture
def module_folder(application):
    return application.MODULE.parent


@pytest.fixture
def panel(load):
    """The module's panel, with all sections open and the fake worker."""
    import fake_worker
    import slicer

    widget = load()
    widget.logic._makeTransport = fake_worker.FakeWorker().make_transport
    for name in SECTIONS:
        getattr(widget.ui, name).collapsed = False
    slicer.app.processEvents()
    return widget


def test_widgets_that_the_code_uses_are_in_ui_files(module_folder):
    import checks

    assert len(checks.ui_files(module_folder)) == 9
    assert checks.names_without_widget(module_folder) == []
    assert checks.names_twice(module_folder) == []


def test_widgets_are_bound_to_parameters_that_there_are(load, module_folder):
    import checks

    load()
    from FewShotSegmentModule.parameters import FewShotSegmentParameterNode

    assert checks.parameters_without_member(module_folder, FewShotSegmentParameterNode) == []


def test_every_button_does_something_and_says_what(panel):
    import checks
    from PySide6 import QtWidgets

    assert checks.buttons_without_receiver(panel.parent) == []
    buttons = [one for one in panel.parent.findChildren(QtWidgets.QAbstractButton) if one.name.endswith("Button")]
    ours = [one for one in buttons if one.className() == "QPushButton" and one.isVisible()]
    assert len(ours) > 25
    assert [one.name for one in ours if not one.toolTip] == []


def test_the_embedded_editor_has_all_effects_but_the_modules_own(panel):
    """Its Propagate would be a second one in the panel."""
    (section,) = [one for one in panel.sections if one.uiName == "Annotation"]
    editor = section.ui.segmentEditor
    shown = [editor.effectByIndex(index).name for index in range(editor.effectCount())]
    assert "FewShotPropagate" in editor.availableEffectNames()
    assert sorted([*shown, "FewShotPropagate"]) == sorted(editor.availableEffectNames())
    assert len(shown) > 5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "volume"])
def test_texts_fit_into_a_narrow_panel(panel, application, dark, filled):
    import checks
    import numpy as np
    import slicer
    from views import grab_panel, set_palette

    if filled:
        slicer.util.addVolumeFromArray(np.zeros((20, 30, 30), np.int16), name="CT of the abdomen, portal venous phase")
        application.select_module("Data")
        application.select_module("FewShotSegment")
        application.press(panel.ui.annotationSection.findChild(object, "newSegmentationButton"))
    picture = grab_panel(panel.parent, width=NARROW, dark=dark)
    set_palette(dark)
    try:
        assert picture.shape[1] == NARROW
        assert checks.cut_off(panel.parent) == []
        assert [one.uiName for one in panel.sections if one.widget.minimumSizeHint.width() > NARROW] == []
    finally:
        set_palette(False)


def test_placeholders_are_filled_after_the_translation(module_folder):
    """``_(f"…")`` and ``_("…".format(…))`` could not be translated."""
    found = []
    for path in sorted(module_folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
                text = node.args[0]
                if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []
