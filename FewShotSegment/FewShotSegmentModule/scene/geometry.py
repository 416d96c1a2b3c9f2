"""Where voxels are: Slicer's RAS and our LPS, slices of the array and slices on screen.

Arrays of a volume are [z, y, x] (k, j, i), so array axis a is Slicer's index axis 2 - a. This is the one place where
RAS becomes LPS: the engine's geometry is LPS, everything else in the module is RAS.
"""

from itertools import permutations

import numpy as np
import slicer
import vtk

from .i18n import _

IDENTITY = np.eye(4)

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

_PARALLEL = np.cos(np.deg2rad(2.0))
"""A view that is turned by less than this against the volume's slices counts as showing one of them."""


def matrixArray(matrix):
    """A vtkMatrix4x4 as array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrixFromArray(array):
    """A 4 × 4 array as vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel())
    return matrix


# --- volumes ---


def ijkToRas(volumeNode):
    """4 × 4 from voxel indices (i, j, k, 1) to mm (R, A, S, 1), without the node's parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return matrixArray(matrix)


def ijkToLps(volumeNode):
    """4 × 4 from voxel indices (i, j, k, 1) to mm (L, P, S, 1), without the node's parent transform."""
    return _RAS_TO_LPS @ ijkToRas(volumeNode)


def volumeShape(volumeNode):
    """Numbers of voxels (z, y, x); zeros if the node has no image."""
    image = volumeNode.GetImageData()
    return tuple(image.GetDimensions()[::-1]) if image is not None else (0, 0, 0)


def spacing(volumeNode):
    """Voxel size in mm in array order (z, y, x)."""
    return tuple(float(size) for size in np.linalg.norm(ijkToRas(volumeNode)[:3, :3], axis=0)[::-1])


def voxelMl(volumeNode):
    """Volume of a voxel in ml."""
    return float(abs(np.linalg.det(ijkToRas(volumeNode)[:3, :3]))) / 1000


def acquisitionAxis(volumeNode):
    """Array axis across which slices were most likely acquired: the clearly largest spacing's, else 0."""
    sizes = spacing(volumeNode)
    thickest = int(np.argmax(sizes))
    others = [size for axis, size in enumerate(sizes) if axis != thickest]
    return thickest if sizes[thickest] > 1.1 * max(others) else 0


def axisWord(volumeNode, axis):
    """How slices across an array axis are called: "axial", "coronal" or "sagittal", each for one axis."""
    return (_("sagittal"), _("coronal"), _("axial"))[_patientAxes(volumeNode)[axis]]


def _patientAxes(volumeNode):
    """For each array axis the axis of the patient (0 R, 1 A, 2 S) that runs closest to it, all different."""
    directions = ijkToRas(volumeNode)[:3, 2::-1]
    cosines = np.abs(directions / np.linalg.norm(directions, axis=0))  # [patient axis, array axis]
    return max(permutations(range(3)), key=lambda axes: sum(cosines[patient, a] for a, patient in enumerate(axes)))


# --- parent transforms ---


def withoutTransform(volumeNode):
    """The volume as it lies under no transform: itself, or a node outside of the scene that shares its voxels."""
    if volumeNode.GetParentTransformNode() is None:
        return volumeNode
    bare = slicer.vtkMRMLScalarVolumeNode()
    bare.SetAndObserveImageData(volumeNode.GetImageData())
    bare.SetIJKToRASMatrix(matrixFromArray(ijkToRas(volumeNode)))
    return bare


def transformBetween(fromNode, toNode):
    """What maps points of one node's own coordinates to another's.

    Returns:
        (4 × 4, None) for linear transforms, (None, vtkGeneralTransform) for others.
    """
    source, target = fromNode.GetParentTransformNode(), toNode.GetParentTransformNode()
    if source is target:
        return np.eye(4), None
    if all(node is None or node.IsTransformToWorldLinear() for node in (source, target)):
        matrix = vtk.vtkMatrix4x4()
        slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(source, target, matrix)
        return matrixArray(matrix), None
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return None, transform


def ijkToWorld(volumeNode):
    """4 × 4 from voxel indices to mm of the scene; None under a parent transform that is not linear."""
    parent = volumeNode.GetParentTransformNode()
    if parent is None:
        return ijkToRas(volumeNode)
    if not parent.IsTransformToWorldLinear():
        return None
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return matrixArray(matrix) @ ijkToRas(volumeNode)


# --- slices on screen ---


def arrayAxisOfSlice(sliceNode, volumeNode):
    """Which slice of the array a slice view shows.

    Returns:
        (array axis, slice index), the index of the nearest slice that there is; (None, None) if the view is oblique
        to the volume's slices (its "Rotate to volume plane" mends that) or the volume has no image.
    """
    toWorld = ijkToWorld(volumeNode)
    shape = volumeShape(volumeNode)
    if toWorld is None or min(shape) == 0:
        return None, None
    sliceToRas = matrixArray(sliceNode.GetSliceToRAS())
    fromWorld = np.linalg.inv(toWorld)
    normals = fromWorld[2::-1, :3]  # of the slices across array axes 0, 1, 2
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    cosines = np.abs(normals @ (sliceToRas[:3, 2] / np.linalg.norm(sliceToRas[:3, 2])))
    axis = int(np.argmax(cosines))
    if cosines[axis] < _PARALLEL:
        return None, None
    index = int(np.rint((fromWorld @ sliceToRas[:, 3])[2 - axis]))
    return axis, min(max(index, 0), shape[axis] - 1)


def sliceOffsetOf(volumeNode, axis, index, sliceNode):
    """The offset in mm that makes a slice view (across the same axis) show a slice of the array.

    Returns:
        What `sliceNode.SetSliceOffset` takes; the view's present offset if the volume cannot be located.
    """
    toWorld = ijkToWorld(volumeNode)
    if toWorld is None:
        return sliceNode.GetSliceOffset()
    sliceToRas = matrixArray(sliceNode.GetSliceToRAS())
    # where the view is now, moved along the volume's slices to the one asked for: right also if the view is
    # turned a little
    ijk = np.linalg.inv(toWorld) @ sliceToRas[:, 3]
    ijk[2 - axis] = index
    normal = sliceToRas[:3, 2] / np.linalg.norm(sliceToRas[:3, 2])
    return float(normal @ ((toWorld @ ijk)[:3] - sliceToRas[:3, 3])) + sliceNode.GetSliceOffset()
