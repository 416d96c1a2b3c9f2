"""Slicer's own C++ classes without the application, from the Python package slicer-core.

The package brings the classes and slicer.util, but no application: no scene, no module logics. `start` makes those that
volumes, segmentations and whole scenes need, so that slicer.util's functions for arrays and files work as in Slicer.
Files are read and written by Slicer's own storage nodes. There is no Qt here and no module panel.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer
import slicer.util
import vtk

TERMINOLOGY_TAG = slicer.vtkSegment.GetTerminologyEntryTagName()
STATUS_TAG = slicer.vtkSlicerSegmentationsModuleLogic.GetStatusTagName()


def start() -> None:
    """Make slicer.mrmlScene and the module logics; once per process."""
    if hasattr(slicer, "mrmlScene"):
        return
    output = vtk.vtkOutputWindow()
    output.SetDisplayModeToAlwaysStdErr()  # the default opens a window on Windows
    vtk.vtkOutputWindow.SetInstance(output)

    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    # segments and volumes take their default colors from these nodes
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()

    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())

    slicer.mrmlScene = scene
    slicer.app = SimpleNamespace(applicationLogic=lambda: application, coreIOManager=CoreIOManager)
    slicer.modules = SimpleNamespace()
    logics = {
        "Colors": application.GetColorLogic(),
        "Volumes": slicer.vtkSlicerVolumesLogic(),
        "Terminologies": slicer.vtkSlicerTerminologiesModuleLogic(),
        "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
        "SubjectHierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic(),
        "Markups": slicer.vtkSlicerMarkupsLogic(),
        "CropVolume": slicer.vtkSlicerCropVolumeLogic(),
        "Sequences": slicer.vtkSlicerSequencesLogic(),
    }
    for name, logic in logics.items():
        # slicer-core brings no terminology files: that logic says so at length, and handles tags all the same
        vtk.vtkObject.SetGlobalWarningDisplay(name != "Terminologies")
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        application.SetModuleLogic(name, logic)
        setattr(slicer.modules, name.lower(), SimpleNamespace(name=name, logic=lambda logic=logic: logic))
    vtk.vtkObject.GlobalWarningDisplayOn()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    _add_cache(scene, application)


def _add_cache(scene, application) -> None:
    """The folder into which Slicer unpacks a .mrb before it reads it."""
    remote, manager = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    for logic in (remote, manager):
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
    folder = tempfile.TemporaryDirectory(prefix="slicer-cache-")
    remote.GetCacheManager().SetRemoteCacheDirectory(folder.name)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    # kept alive, and the folder removed when Python ends
    slicer.modules.remoteIO = SimpleNamespace(logics=(remote, manager), folder=folder)


class CoreIOManager:
    """The calls of qSlicerCoreIOManager that slicer.util's load and save functions make."""

    KNOWN = {".seg.nrrd": "SegmentationFile", ".mrb": "SceneFile", ".mrml": "SceneFile"} | dict.fromkeys(
        (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"), "VolumeFile"
    )

    @classmethod
    def extractKnownExtension(cls, path: str, _node=None) -> str:
        return max((end for end in cls.KNOWN if path.lower().endswith(end)), key=len, default=Path(path).suffix)

    @classmethod
    def fileType(cls, path: str) -> str | None:
        return cls.KNOWN.get(cls.extractKnownExtension(path))

    @staticmethod
    def fileWriterFileType(node) -> str:
        return node.GetClassName()

    @classmethod
    def fileWriterExtensions(cls, node) -> list[str]:
        types = _default_storage(node).GetSupportedWriteFileTypes()
        found = [types.GetValue(index) for index in range(types.GetNumberOfValues())]
        # for volumes the application asks ITK, which is empty here
        return found or [f"Volume ({end})" for end, kind in cls.KNOWN.items() if kind == "VolumeFile"]

    @staticmethod
    def loadNodes(file_type: str, properties: dict, loaded=None, _messages=None) -> bool:
        path = str(properties["fileName"])
        name = properties.get("name") or Path(path).name.split(".")[0]
        if file_type == "SceneFile":
            return _read_scene(path, clear=properties.get("clear", False))
        if file_type == "VolumeFile":
            options = 1 if properties.get("labelmap") else 0
            node = slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options)
        elif file_type == "SegmentationFile":
            node = slicer.modules.segmentations.logic().LoadSegmentationFromFile(path, True, name)
        else:
            raise NotImplementedError(f"there is no reader for {file_type}: add it to headless_slicer.CoreIOManager")
        if node is not None and loaded is not None:
            loaded.AddItem(node)
        return node is not None

    @staticmethod
    def saveNodes(file_type: str, properties: dict, _messages=None) -> bool:
        path = str(properties["fileName"])
        if file_type == "SceneFile" or path.endswith((".mrb", ".mrml")):
            return _write_scene(path)
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        return _write(node, node.GetStorageNode(), path, properties)

    @staticmethod
    def exportNodes(ids, paths, properties: dict, _harden=False, _messages=None) -> bool:
        nodes = [slicer.mrmlScene.GetNodeByID(id_) for id_ in ids]
        written = [
            _write(node, _default_storage(node), path, properties) for node, path in zip(nodes, paths, strict=True)
        ]
        return all(written)


def _default_storage(node):
    storage = node.CreateDefaultStorageNode()
    storage.UnRegister(None)  # ours now
    return storage


def _write(node, storage, path: str, properties: dict) -> bool:
    storage.SetFileName(str(path))
    if "useCompression" in properties:
        storage.SetUseCompression(properties["useCompression"])
    return bool(storage.WriteData(node))


def _read_scene(path: str, *, clear: bool) -> bool:
    scene = slicer.mrmlScene
    if path.endswith(".mrb"):
        return bool(scene.ReadFromMRB(path, clear))
    scene.SetURL(path)
    return bool(scene.Connect() if clear else scene.Import())


def _write_scene(path: str) -> bool:
    if path.endswith(".mrb"):
        return bool(slicer.mrmlScene.WriteToMRB(path, None))
    slicer.mrmlScene.SetURL(path)
    return bool(slicer.mrmlScene.Commit(path))


# --- volumes ---


def add_volume(voxels: np.ndarray, ijk_to_ras: np.ndarray, name: str = "volume"):
    """A volume node in the scene; the array has the axes k, j, i."""
    return slicer.util.addVolumeFromArray(
        voxels, ijkToRAS=slicer.util.vtkMatrixFromArray(ijk_to_ras), name=name, nodeClassName="vtkMRMLScalarVolumeNode"
    )


def load_volume(path: Path):
    node = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), path.name.split(".")[0])
    assert node is not None, f"Slicer cannot read {path}"
    return node


def volume_ijk_to_ras(volume) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


# --- segmentations ---


def add_segmentation(volume):
    """An empty segmentation on the voxel grid of the volume."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


def add_segment(segmentation, volume, mask: np.ndarray, *, name: str, color: tuple, tags: dict[str, str]) -> None:
    """A segment from an array that has the shape of the volume."""
    segment_id = segmentation.GetSegmentation().AddEmptySegment("", name, color)
    for tag, value in tags.items():
        segmentation.GetSegmentation().GetSegment(segment_id).SetTag(tag, value)
    # any other type is refused, or makes Slicer enlarge its labelmap
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), segmentation, segment_id, volume)


def load_segmentation(path: Path):
    node = slicer.modules.segmentations.logic().LoadSegmentationFromFile(str(path), True)
    assert node is not None, f"Slicer cannot read {path}"
    return node


def segments(segmentation) -> list:
    """Segments in their order."""
    content = segmentation.GetSegmentation()
    return [content.GetNthSegment(index) for index in range(content.GetNumberOfSegments())]


def segment_tags(segment, names: list[str]) -> dict[str, str]:
    """Those of the named tags that the segment has."""
    values = {name: vtk.reference("") for name in names}
    return {name: str(value) for name, value in values.items() if segment.GetTag(name, value)}


def masks(segmentation, volume) -> list[np.ndarray]:
    """One boolean array per segment, on the voxel grid of the volume."""
    content = segmentation.GetSegmentation()
    ids = [content.GetNthSegmentID(index) for index in range(content.GetNumberOfSegments())]
    return [slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, id_, volume) > 0 for id_ in ids]


def segment_ijk_to_ras(segment) -> np.ndarray:
    """Geometry of the labelmap that holds the segment; its extent may be a part of the volume."""
    labelmap = segment.GetRepresentation(
        slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    )
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


# --- files ---


def save(node, path: Path, *, crop: bool = False) -> Path:
    """Write with the storage node that Slicer's Save dialog would use; ``crop`` is its option for segmentations."""
    if node.GetStorageNode() is None:
        node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    storage.SetFileName(str(path))
    if crop:
        storage.SetCropToMinimumExtent(True)
    assert storage.WriteData(node), f"Slicer cannot write {path}"
    return path
