"""Voxels of a volume node: which volumes the engine can take, what names their voxels, and a file of them."""

import os
import zlib
from pathlib import Path

import numpy as np
import slicer
import slicer.util

from .errors import SceneError
from .geometry import ijkToRas, volumeShape
from .i18n import _

BLOCK_BYTES = 8 * 1024 * 1024
"""Written in one piece: some ms, also on a slow disk thanks to the system's cache."""


def checkVolume(volumeNode):
    """Whether the engine can take a volume.

    Raises:
        SceneError: it cannot; says why.
    """
    if volumeNode is None:
        raise SceneError(_("No volume is chosen: choose the CT or MR volume to segment."))
    name = volumeNode.GetName() or _("The volume")
    if not volumeNode.IsA("vtkMRMLScalarVolumeNode"):
        raise SceneError(_("{name} is no volume: choose a CT or MR volume.").format(name=name))
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode"):
        raise SceneError(_("{name} is a label map, not an image: choose the CT or MR volume.").format(name=name))
    image = volumeNode.GetImageData()
    if image is None or image.GetPointData() is None or image.GetPointData().GetScalars() is None:
        raise SceneError(_("{name} has no voxels: load its image, or choose another volume.").format(name=name))
    if image.GetNumberOfScalarComponents() != 1:
        raise SceneError(
            _("{name} has {count} values per voxel (color or vectors): choose a volume with one.").format(
                name=name, count=image.GetNumberOfScalarComponents()
            )
        )
    if min(volumeShape(volumeNode)) < 2:
        raise SceneError(_("{name} has only one slice: choose a volume with several.").format(name=name))


def volumeArray(volumeNode):
    """The volume's voxels [z, y, x]: a view, neither copied nor to be written to.

    Raises:
        SceneError: the engine cannot take this volume.
    """
    checkVolume(volumeNode)
    array = slicer.util.arrayFromVolume(volumeNode)
    view = array.view()
    view.flags.writeable = False
    return view


def volumeKey(volumeNode):
    """A name for these voxels at this place: changes with them, and not with how they are shown.

    Raises:
        SceneError: the engine cannot take this volume.
    """
    checkVolume(volumeNode)
    geometry = zlib.crc32(np.ascontiguousarray(ijkToRas(volumeNode)).tobytes())
    shape = "x".join(str(size) for size in volumeShape(volumeNode))
    # two frames of a sequence may have the same ID; modification times are never given twice
    return f"{volumeNode.GetID() or 'volume'}-{volumeNode.GetImageData().GetMTime()}-{shape}-{geometry:08x}"


def writeVolumeSteps(volumeNode, path):
    """Write the voxels to a ``.npy`` file, in pieces; the file appears when it is complete.

    Args:
        volumeNode: volume; may be deleted or changed meanwhile, which ends the writing.
        path: file; its folder must exist.

    Yields:
        After each piece.

    Returns:
        The path.

    Raises:
        SceneError: the engine cannot take this volume, or its voxels changed meanwhile.
        OSError: the file cannot be written.
    """
    array = volumeArray(volumeNode)
    key = volumeKey(volumeNode)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    flat = np.ascontiguousarray(array).reshape(-1)  # no copy: Slicer's voxels are contiguous
    block = max(1, BLOCK_BYTES // flat.itemsize)
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    try:
        with open(part, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for start in range(0, flat.size, block):
                stream.write(flat[start : start + block].data)
                yield
                if volumeNode.GetImageData() is None or volumeKey(volumeNode) != key:
                    raise SceneError(
                        _("{name} was changed while it was read: start again.").format(name=volumeNode.GetName())
                    )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
