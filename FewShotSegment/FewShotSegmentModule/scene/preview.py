"""A result before it is accepted: shown in all views, kept apart from the user's segmentation."""

import logging

import slicer
import vtk

from .grids import imageArray
from .i18n import _
from .segments import SURFACE, labelmapFromMask, segmentOf

ATTRIBUTE = "FewShotSegment.Preview"
"""Marks the preview's node, for lists that shall not offer it."""


class Preview:
    """Shows masks in a segmentation node of its own, which is never saved and goes with the nodes it belongs to.

    Nothing of the user's is changed. `delete` ends it; so do the deletion of the segmentation or of the volume and the
    closing of the scene.
    """

    def __init__(self, segmentationNode, volumeNode, results, opacity=0.5, outline=True, show3D=False):
        """Show results.

        Args:
            segmentationNode: segmentation that they are for.
            volumeNode: volume that they lie in.
            results: {segment ID: (mask, origin)}, masks as uint8 [z, y, x] boxes of the volume.
            opacity: of the fill in slice views, 0 to 1.
            outline: whether the outline is drawn in slice views.
            show3D: whether the surface is shown in 3D views.
        """
        scene = segmentationNode.GetScene()
        node = slicer.vtkMRMLSegmentationNode()
        node.SetName(_("{name} preview").format(name=segmentationNode.GetName()))
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.SetUndoEnabled(False)
        node.SetAttribute(ATTRIBUTE, "1")
        self._node = scene.AddNode(node)
        self._node.CreateDefaultDisplayNodes()
        self._display = self._node.GetDisplayNode()
        self._display.SetSaveWithScene(False)
        self._sources = (segmentationNode, volumeNode)
        self._scene = scene
        self._observation = scene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._onNodeRemoved)
        self.update(results)
        self.setOpacity(opacity)
        self.setOutline(outline)
        self.set3D(show3D)

    @property
    def node(self):
        """The preview's vtkMRMLSegmentationNode; None once it is gone."""
        return self._node if self._node is not None and self._node.GetScene() is not None else None

    def update(self, results):
        """Show other results in place of the present ones; arguments as of the constructor."""
        node = self.node
        if node is None:
            return
        segmentationNode, volumeNode = self._sources
        surface = node.GetSegmentation().ContainsRepresentation(SURFACE)
        node.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
        node.GetSegmentation().RemoveAllSegments()
        for segmentId, (mask, origin) in results.items():
            source = segmentOf(segmentationNode, segmentId)
            segment = slicer.vtkSegment()
            segment.DeepCopyMetadata(source)  # name, color, terminology
            labelmap = labelmapFromMask(mask, origin, volumeNode, segmentationNode)
            segment.AddRepresentation(
                slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName(), labelmap
            )
            segment.SetLabelValue(1)
            if not imageArray(labelmap).any():
                logging.info("FewShotSegment: the preview of %s is empty", source.GetName())
            node.GetSegmentation().AddSegment(segment, segmentId)
        if surface:
            node.CreateClosedSurfaceRepresentation()

    # --- how it is shown ---

    def setOpacity(self, opacity):
        """Opacity, 0 to 1: of the fill in slice views, and of the surface."""
        if self.node is not None:
            self._display.SetOpacity2DFill(opacity)
            self._display.SetOpacity3D(max(opacity, 0.2))

    def setOutline(self, shown):
        """Whether the outline is drawn in slice views."""
        if self.node is not None:
            self._display.SetVisibility2DOutline(bool(shown))

    def set3D(self, shown):
        """Whether the surface is shown in 3D views; making it takes Slicer up to a second for a large organ."""
        if self.node is None:
            return
        if shown:
            self._node.CreateClosedSurfaceRepresentation()
        self._display.SetVisibility3D(bool(shown))

    def setVisible(self, shown):
        """Whether it is shown at all."""
        if self.node is not None:
            self._display.SetVisibility(bool(shown))

    # --- its end ---

    def delete(self):
        """Remove it from the scene; does nothing if it is gone."""
        if self._observation is not None:
            self._scene.RemoveObserver(self._observation)
            self._observation = None
        node, self._node = self.node, None
        self._display = None
        self._sources = ()
        if node is not None:
            scene = node.GetScene()
            for index in reversed(range(node.GetNumberOfDisplayNodes())):
                scene.RemoveNode(node.GetNthDisplayNode(index))
            scene.RemoveNode(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, _scene, _event, node):
        if node is self._node:
            self._node = None  # by someone else: nothing is left to remove
            self.delete()
        elif any(node is source for source in self._sources):
            self.delete()
