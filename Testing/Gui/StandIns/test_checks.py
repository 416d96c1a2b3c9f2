"""The checks find what they are for."""

from __future__ import annotations

import pytest

UI = """<ui version="4.0"><class>A</class><widget class="qMRMLWidget" name="A"><layout class="QVBoxLayout">
 <item><widget class="QPushButton" name="usedButton">
  <property name="text"><string>Used</string></property></widget></item>
 <item><widget class="QPushButton" name="idleButton"/></item>
 <item><widget class="QCheckBox" name="boundBox">
  <property name="SlicerParameterName" stdset="0"><string>invert</string></property></widget></item>
 <item><widget class="ctkCollapsibleButton" name="section"/></item>
</layout></widget></ui>"""

CODE = """
class Widget:
    def setup(self):
        self.ui.usedButton.connect("clicked()", self.onApply)
        self.ui.missingButton.enabled = False
        getattr(self.ui, "alsoMissing").hide()
        ui = self.ui
        ui.boundBox.checked = ui.thirdMissing.checked
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Resources/UI").mkdir(parents=True)
    (tmp_path / "Resources/UI/A.ui").write_text(UI)
    (tmp_path / "A.py").write_text(CODE)
    return tmp_path


def test_names_in_no_ui_file_are_found(application, folder):
    import checks

    found = checks.names_without_widget(folder)
    assert [sentence.split(": ")[1].split()[0] for sentence in found] == [
        "ui.missingButton",
        "ui.alsoMissing",
        "ui.thirdMissing",
    ]


def test_bindings_to_no_parameter_are_found(application, folder):
    import checks
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Right:
        invert: bool

    @parameterNodeWrapper
    class Wrong:
        inverted: bool

    assert checks.parameters_without_member(folder, Right) == []
    assert "boundBox is bound to invert" in checks.parameters_without_member(folder, Wrong)[0]


def test_buttons_that_do_nothing_are_found(scene, folder):
    import checks
    import slicer

    panel = slicer.util.loadUI(str(folder / "Resources/UI/A.ui"))
    ui = slicer.util.childWidgetVariables(panel)
    ui.usedButton.connect("clicked()", lambda: None)
    assert checks.buttons_without_receiver(panel) == ["idleButton (QPushButton) is connected to nothing"]


def test_text_that_does_not_fit_is_found(scene, folder):
    import checks
    import slicer

    panel = slicer.util.loadUI(str(folder / "Resources/UI/A.ui"))
    panel.show()
    slicer.app.processEvents()
    assert checks.cut_off(panel) == []
    button = slicer.util.childWidgetVariables(panel).usedButton
    button.text = "A label that is much too long"
    button.setFixedWidth(40)
    slicer.app.processEvents()
    assert checks.cut_off(panel)[0].startswith("usedButton")
