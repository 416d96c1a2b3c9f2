"""4D: the frames of a volume sequence, and a sequence of segmentations for them."""

import slicer
import vtk

from .errors import SceneError
from .i18n import _


def frameCount(sequenceNode):
    """Number of frames."""
    return sequenceNode.GetNumberOfDataNodes()


def frames(sequenceNode):
    """The frames of a sequence of volumes.

    Returns:
        [(index value as text, volume node)]. The nodes are the sequence's own and are not in the scene.

    Raises:
        SceneError: the sequence is empty or not one of volumes.
    """
    found = []
    for number in range(frameCount(sequenceNode)):
        node = sequenceNode.GetNthDataNode(number)
        if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
            raise SceneError(_("{name} is no sequence of volumes: choose one.").format(name=sequenceNode.GetName()))
        found.append((sequenceNode.GetNthIndexValue(number), node))
    if not found:
        raise SceneError(_("{name} has no frames: choose another sequence.").format(name=sequenceNode.GetName()))
    return found


def browserOf(sequenceNode):
    """The browser that plays a sequence; None if there is none."""
    scene = sequenceNode.GetScene()
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")):
        browser = scene.GetNthNodeByClass(index, "vtkMRMLSequenceBrowserNode")
        if browser.IsSynchronizedSequenceNode(sequenceNode, True):
            return browser
    return None


def shownFrames(scene):
    """Nodes that only show the frame of a sequence that is on screen."""
    found = []
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")):
        browser = scene.GetNthNodeByClass(number, "vtkMRMLSequenceBrowserNode")
        played = vtk.vtkCollection()
        browser.GetSynchronizedSequenceNodes(played, True)
        found += [browser.GetProxyNode(played.GetItemAsObject(index)) for index in range(played.GetNumberOfItems())]
    return [node for node in found if node is not None]


def createSegmentationSequence(sequenceNode, name=""):
    """An empty sequence for segmentations of a volume sequence, played together with it.

    Args:
        sequenceNode: sequence of volumes.
        name: of the new one.

    Returns:
        vtkMRMLSequenceNode in the scene.
    """
    output = slicer.vtkMRMLSequenceNode()
    output.SetName(name or _("{name} segmentation").format(name=sequenceNode.GetName()))
    output.SetIndexName(sequenceNode.GetIndexName())
    output.SetIndexUnit(sequenceNode.GetIndexUnit())
    output.SetIndexType(sequenceNode.GetIndexType())
    return sequenceNode.GetScene().AddNode(output)


def setFrame(outputNode, indexValue, segmentationNode):
    """Put a copy of a segmentation into a sequence of segmentations; replaces what was there."""
    outputNode.SetDataNodeAtValue(segmentationNode, indexValue)


def showWith(sequenceNode, outputNode):
    """Play a sequence of segmentations with its volumes, where a browser plays them; call it when frames are there.

    Returns:
        The segmentation node that shows the present frame; None without browser.
    """
    browser = browserOf(sequenceNode)
    if browser is None:
        return None
    if not browser.IsSynchronizedSequenceNode(outputNode, True):
        browser.AddSynchronizedSequenceNode(outputNode)
    # Slicer makes the proxies of new sequences when something is shown
    logic = getattr(getattr(slicer.modules, "sequences", None), "logic", None)
    if logic is not None:
        logic().UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(outputNode)
