"""Notices when what a job works on goes away."""

import slicer
import vtk

from ..scene.i18n import _


class SceneWatch:
    """Observes the scene until it is stopped.

    nodes: that must stay.
    onGone: called once with a sentence, before the node is removed or the scene closed.
    """

    def __init__(self, nodes, onGone):
        self._nodes = [node for node in nodes if node is not None]
        self._onGone = onGone
        self._scene = slicer.mrmlScene

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onNodeAboutToBeRemoved(_caller, _event, node):
            if any(node is mine for mine in self._nodes):
                self._tell(_("{name} was removed, so nothing was done with it.").format(name=node.GetName()))

        def onStartClose(_caller, _event):
            self._tell(_("The scene was closed, so nothing was done."))

        events = slicer.vtkMRMLScene
        self._tags = [
            self._scene.AddObserver(events.NodeAboutToBeRemovedEvent, onNodeAboutToBeRemoved),
            self._scene.AddObserver(events.StartCloseEvent, onStartClose),
        ]

    def add(self, node):
        """One more node that must stay."""
        self._nodes.append(node)

    def stop(self):
        """Observe no longer."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []
        self._nodes = []

    def _tell(self, sentence):
        if self._tags:
            self.stop()
            self._onGone(sentence)
