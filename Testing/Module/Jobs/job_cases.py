"""What the tests of this folder share."""

from __future__ import annotations

import numpy as np
import scene_cases as cases
from FewShotSegmentModule.jobs.steprunner import ImmediateRunner

SLICE = 6


class ManualRunner:
    """Does one piece when it is asked to, in place of a timer."""

    def __init__(self):
        self.pieces = []

    def add(self, piece):
        self.pieces.append(piece)

    def turn(self):
        for piece in [self.pieces.pop(0) for _ in list(self.pieces)]:
            if piece():
                self.pieces.append(piece)

    def stop(self):
        self.pieces.clear()


def immediate(logic):
    """Let a logic do its own steps at once, as without an event loop."""
    logic._runner = ImmediateRunner()
    return logic


def turn(logic, count=1):
    """What the event loop does: own steps, and a look at the worker."""
    for _ in range(count):
        logic.runner.turn()
        if logic.existingClient is not None:
            logic.existingClient.tick()


def until(logic, condition, most=500):
    """Turn until something is so."""
    for _ in range(most):
        if condition():
            return
        turn(logic)
    raise AssertionError("it never became so")


def drawn(*slices, shape=cases.SHAPE, axis=0) -> np.ndarray:
    """The ellipsoid on some slices only."""
    whole = cases.ellipsoid(shape)
    mask = np.zeros_like(whole)
    for index in slices or (SLICE,):
        np.moveaxis(mask, axis, 0)[index] = np.moveaxis(whole, axis, 0)[index]
    return mask


def case(*slices, name="Liver"):
    """(volume, segmentation) with one annotated segment, whose ID is its name."""
    volume = cases.volume()
    return volume, cases.segmentation(volume, {name: drawn(*slices)})


def accepted(logic, *slices, name="Liver"):
    """A case whose first result was accepted."""
    volume, segmentation = case(*slices, name=name)
    logic.accept(logic.propagate(volume, segmentation))
    return volume, segmentation


def mask_of(segmentation, segment_id, volume) -> np.ndarray:
    """The segment as array of the volume's shape."""
    from FewShotSegmentModule.scene.segments import reader

    return cases.whole(reader.readMask(segmentation, segment_id, volume))


def files_of(logic):
    """Voxel files in the client's folder."""
    return sorted(path.name for path in logic.client.folder.rglob("*.npy"))


def observers(scene):
    """Whether anything observes the scene for nodes that go, and for its end."""
    import slicer

    events = (slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, slicer.vtkMRMLScene.StartCloseEvent)
    return [bool(scene.HasObserver(event)) for event in events]


def node_ids(scene):
    return [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]
