"""Which volumes there are: in the scene, in a folder of Subject Hierarchy, in files."""

from pathlib import Path

import slicer
import vtk

from .errors import SceneError
from .sequences import shownFrames
from .voxels import checkVolume

_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
_NOT_VOLUMES = (".seg.nrrd", ".seg.nhdr")


def isUsable(node):
    """Whether a node is a volume that the engine can take and the user can see."""
    if node is None or node.GetHideFromEditors():
        return False
    try:
        checkVolume(node)
    except SceneError:
        return False
    return True


def sceneVolumes(scene=None):
    """Volumes of the scene, in its order; no label maps, color images, hidden nodes or frames of sequences."""
    scene = scene or slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = [scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode") for index in range(count)]
    frames = shownFrames(scene)
    return [node for node in nodes if isUsable(node) and node not in frames]


def folderVolumes(itemId, scene=None):
    """Volumes in a folder (patient, study) of Subject Hierarchy and its folders, in their order there."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene or slicer.mrmlScene)
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(itemId, items, True)
    nodes = [hierarchy.GetItemDataNode(items.GetId(index)) for index in range(items.GetNumberOfIds())]
    own = hierarchy.GetItemDataNode(itemId)  # the item may be a volume itself
    return [node for node in [own, *nodes] if isUsable(node)]


def volumeFiles(folder):
    """Image files in a folder, sorted by name; a folder of DICOM files counts as one volume, the folder itself."""
    folder = Path(folder)
    names = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    files = [path for path in names if path.name.lower().endswith(_ENDINGS)]
    files = [path for path in files if not path.name.lower().endswith(_NOT_VOLUMES)]
    if files and all(path.suffix.lower() == ".dcm" for path in files):
        return [folder]
    return [path for path in files if path.suffix.lower() != ".dcm"]


def fileToLoad(path):
    """What Slicer is to be given to load a volume: of a folder of DICOM files one of them, whose series it reads."""
    path = Path(path)
    if not path.is_dir():
        return str(path)
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    return str(next((file for file in files if _isDicom(file)), files[0] if files else path))


def _isDicom(path):
    with open(path, "rb") as stream:
        return stream.read(132)[128:] == b"DICM"
