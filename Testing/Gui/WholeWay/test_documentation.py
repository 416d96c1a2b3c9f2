"""What the documentation tells the user to press, type and script is there."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
for folder in (HERE, HERE.parents[1]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

SLICERS = {"Draw", "Paint", "FewShotSegment", "PyTorch", "Undo"}
EMPHASIS = {"preview", "one", "No image, mask or name leaves the computer.", "slices of images"}


def texts_of_the_panel() -> set[str]:
    module = REPOSITORY / "FewShotSegment"
    found = {
        (element.text or "").strip()
        for path in (module / "Resources/UI").glob("*.ui")
        for element in ElementTree.parse(path).iter("string")
    }
    for path in module.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


@pytest.mark.parametrize("page", ["slicer.md", "troubleshooting.md", "privacy.md"])
def test_buttons_in_the_documentation_are_in_the_panel(page):
    text = (REPOSITORY / "Docs" / page).read_text(encoding="utf-8")
    bold = set(re.findall(r"\*\*(.+?)\*\*", text, re.DOTALL)) - SLICERS - EMPHASIS
    assert sorted(bold - texts_of_the_panel()) == []
    assert bold


def test_keys_in_the_documentation_are_the_modules(load):
    load()
    from FewShotSegmentModule.panels.shortcuts import SHORTCUTS

    text = (REPOSITORY / "Docs/slicer.md").read_text(encoding="utf-8")
    told = re.findall(r"(?:Ctrl|Alt)\+[A-Za-z+]+", text)
    assert sorted(told) == sorted(shortcut.keys for shortcut in SHORTCUTS)


def test_the_script_of_the_readme_runs(load, tmp_path, monkeypatch):
    import slicer
    from fake_worker import FakeWorker
    from FewShotSegmentModule.scene.segments import readMask

    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (script,) = [block for block in blocks if "getModuleLogic" in block]
    monkeypatch.chdir(tmp_path)
    slicer.mrmlScene.SetRootDirectory(str(tmp_path))  # a scene that was loaded before has left its own there
    volume = slicer.util.addVolumeFromArray(np.zeros((20, 24, 28), np.int16))
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    drawn = np.zeros((20, 24, 28), np.uint8)
    drawn[10, 6:16, 6:16] = 1
    segment_id = segmentation.GetSegmentation().AddEmptySegment("liver", "liver")
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, segment_id, volume)
    assert slicer.util.saveNode(volume, str(tmp_path / "ct.nii.gz"))
    assert slicer.util.saveNode(segmentation, str(tmp_path / "one_slice.seg.nrrd"))
    slicer.mrmlScene.Clear(False)

    fake = FakeWorker()
    load().logic._makeTransport = fake.make_transport
    names = {"slicer": slicer}
    exec(compile(script, "README.md", "exec"), names)
    found = readMask(names["segmentation"], "liver", names["volume"]).voxels
    assert found.any(axis=(1, 2)).sum() > 1
    assert not fake.transports[-1].running
