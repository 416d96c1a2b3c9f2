"""Whether a volume is CT or MR: what its user said, else what its file said."""

import slicer

ATTRIBUTE = "FewShotSegment.Modality"
"""Of the volume node, so that it is saved with the scene and holds for all that is done with the volume."""

AUTO, CT, MR = "auto", "ct", "mr"


def modalityOf(volumeNode):
    """Give "ct" or "mr" where the user or DICOM says so; else "auto", and the engine guesses and says what it took."""
    return chosen(volumeNode) if chosen(volumeNode) != AUTO else _told(volumeNode)


def chosen(volumeNode):
    """What the user said: "ct", "mr" or "auto"."""
    value = volumeNode.GetAttribute(ATTRIBUTE)
    return value if value in (CT, MR) else AUTO


def choose(volumeNode, modality):
    """Say what the volume is; "auto" takes it back."""
    volumeNode.SetAttribute(ATTRIBUTE, None if modality == AUTO else modality)


def _told(volumeNode):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy is not None else 0
    told = hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""
    told = told or volumeNode.GetAttribute("DICOM.Modality") or ""
    return {"CT": CT, "MR": MR}.get(told.strip().upper(), AUTO)
