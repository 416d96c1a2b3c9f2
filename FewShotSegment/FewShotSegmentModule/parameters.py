"""What the module keeps with the scene."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSegmentEditorNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class FewShotSegmentParameters:
    """State of the panel.

    volume: source volume.
    segmentation: what is annotated, and gets the results.
    segmentEditor: parameters of the embedded Segment Editor.
    allVisible: propagate all visible segments instead of the selected one.
    useRange, firstSlice, lastSlice, rangeAxis: slices that may hold the structure, along an array axis of the volume.
    previewOpacity, preview3D, previewFill: how a preview is shown.
    reference: segmentation to compare with.
    referenceSegment: ID of its segment; empty for the one of the same name.
    device, weights: where to compute, and with which weights (empty: the bundled ones).
    method: few-shot network for other volumes.
    """

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    segmentEditor: vtkMRMLSegmentEditorNode
    allVisible: bool = False
    useRange: bool = False
    rangeAxis: int = 0
    firstSlice: int = 0
    lastSlice: int = 0
    previewOpacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.6
    preview3D: bool = False
    previewFill: bool = True
    reference: vtkMRMLSegmentationNode
    referenceSegment: str = ""
    device: str = "auto"
    weights: str = ""
    method: str = "dspnet"


class FewShotSegmentParameterNode(FewShotSegmentParameters):
    """The same, and what it observes can be taken back.

    Slicer's wrapper observes the node for each section of the panel that is connected, and goes on when the section is
    disconnected. The observer holds the wrapper; collected together while the node lives on, Slicer crashes when the
    node changes next.
    """

    def AddObserver(self, event, callback, priority=0.0):
        """Observe the node; the tag is among `takeTags()` too."""
        tag = super().AddObserver(event, callback, priority)
        self.__dict__.setdefault("_tags", []).append(tag)
        return tag

    def takeTags(self):
        """Tags of the observers that were added since the last call; who takes them removes them."""
        return self.__dict__.pop("_tags", [])
