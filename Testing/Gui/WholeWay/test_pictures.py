"""Pictures of the panel as the user sees it after a run with the real engine, to be looked at.

They go to Testing/Gui/pictures (or FEWSHOTSEGMENT_PICTURES); Docs/Images has those of the documentation, which are made
from the phantom: no patient's image is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

WORKING = ("annotationSection", "propagateSection", "reviewSection", "anchorsSection")
FURTHER = ("volumesSection", "finetuneSection", "setupSection")


def show_sections(widget, names) -> None:
    """Open these sections and close the others."""
    import slicer

    for name in WORKING + FURTHER:
        getattr(widget.ui, name).collapsed = name not in names
    slicer.app.processEvents()


@pytest.fixture
def reviewed(load, application):
    """The panel on the phantom with two accepted organs and a preview of a correction."""
    import slicer
    from test_whole_way import User, phantom

    widget = load()
    made = phantom()
    z, y, x = made.spacing
    volume = slicer.util.addVolumeFromArray(made.image, name="CT of a phantom")
    volume.SetSpacing(x, y, z)
    matrix = np.diag([-x, -y, z, 1.0])
    matrix[:3, 3] = [x * made.image.shape[2] / 2, y * made.image.shape[1] / 2, 0]
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(-120, 240)
    slicer.util.setSliceViewerLayers(background=volume)
    user = User(application, widget)
    user.annotation.volumeSelector.setCurrentNode(volume)
    if user.context.segmentationNode is None:
        application.press(user.annotation.newSegmentationButton)
    segmentation = user.context.segmentationNode
    first = user.context.segmentId
    organs = {}
    for name, color in (("liver", (0.87, 0.51, 0.40)), ("spleen", (0.62, 0.43, 0.68))):
        segment_id = first if not organs else segmentation.GetSegmentation().AddEmptySegment("", name)
        segmentation.GetSegmentation().GetSegment(segment_id).SetName(name)
        segmentation.GetSegmentation().GetSegment(segment_id).SetColor(*color)
        truth = made.labels == next(value for value, called in made.names.items() if called == name)
        organs[name] = (segment_id, truth)
        user.annotation.segmentEditor.setCurrentSegmentID(segment_id)
        filled = np.flatnonzero(truth.any(axis=(1, 2)))
        user.draw(int(filled[len(filled) // 2]), truth[filled[len(filled) // 2]])
    user.propagate.allVisibleCheckBox.checked = True
    user.run(user.propagate.propagateButton)
    user.accept()
    segment_id, truth = organs["liver"]
    user.annotation.segmentEditor.setCurrentSegmentID(segment_id)
    user.propagate.allVisibleCheckBox.checked = False
    filled = np.flatnonzero(truth.any(axis=(1, 2)))
    user.draw(int(filled[-4]), truth[filled[-4]])
    user.run(user.anchors.updateButton)
    return user


def test_pictures_of_the_panel_and_the_views(reviewed, pictures):
    import slicer
    from views import SliceView, ThreeDView, composite, grab_panel, write_png

    user = reviewed
    widget = user.widget
    volume, segmentation = user.context.volumeNode, user.context.segmentationNode
    show_sections(widget, WORKING)
    panel = widget.parent
    light = grab_panel(panel, width=420)
    dark = grab_panel(panel, width=420, dark=True)
    write_png(light, pictures / "panel-light.png")
    write_png(dark, pictures / "panel-dark.png")
    user.application.press(user.propagate.acceptButton)
    user.settle()
    segmentation.CreateClosedSurfaceRepresentation()
    after = grab_panel(panel, width=420)
    size = (after.shape[0] // 2 - 2,) * 2
    images = []
    for name in ("Red", "Yellow", "Green"):
        with SliceView(name, size) as view:
            images.append(view.show(volume).image())
    with ThreeDView(size) as view:
        images.append(view.look(20, 10).image())
    composite(after, [images[0], images[3], images[1], images[2]], pictures / "slicer-composite.png")
    show_sections(widget, FURTHER)
    user.wait(lambda: not widget.logic.client.busy)
    library, queue = (section.ui for section in widget.sections if section.uiName in ("Library", "Volumes"))
    user.application.press(library.addSegmentButton)
    user.wait(lambda: library.libraryList.count == 1 and not widget.logic.client.busy)
    slicer.util.addVolumeFromArray(np.zeros((20, 24, 28), np.int16), name="CT of another phantom")
    user.application.press(queue.addSceneButton)
    write_png(grab_panel(panel, width=420), pictures / "panel-further.png")
    write_png(grab_panel(panel, width=420, dark=True), pictures / "panel-further-dark.png")

    assert light.mean() > 160
    assert dark.mean() < 90
    for image in images[:3]:
        reddish = (image[..., 0].astype(int) - image[..., 2]) > 40
        assert np.count_nonzero(reddish) > 200, "the liver is not seen in a slice view"
    assert images[3].std() > 5
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == [segmentation]
