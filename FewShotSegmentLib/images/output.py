"""Writing results: all of it or nothing, and nothing over what is there unless asked."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ..errors import OutputError
from .annotation import Segment
from .geometry import Geometry
from .nifti import is_whole
from .seg_nrrd import SegNrrd, write_seg_nrrd

SEGMENTATION = ".seg.nrrd"
LABELMAPS = (".nii.gz", ".nii", ".nrrd", ".mha")
_OWN_FIELDS = ("Extent", "Layer", "LabelValue", "ID", "Name", "Color")
"""Fields that a segment's place in the new file decides, or that are written even where the annotation has none."""
_OWN_TAGS = "FewShotSegment."


@dataclass(frozen=True)
class Found:
    """One segment to be written.

    Attributes:
        segment: what was annotated: name, colour, label and header fields.
        mask: bool [z, y, x].
        anchors: (array axis, indices of the annotated slices along it).
        tags: of FewShotSegment, for Slicer: {name: text without “|”}. The annotation's own ones are not carried over:
            they speak of another result.
    """

    segment: Segment
    mask: NDArray[np.bool_]
    anchors: tuple[int, tuple[int, ...]]
    tags: Mapping[str, str] = field(default_factory=dict)


def check_output(path: str | Path, force: bool, inputs: Sequence[Path], kinds: Sequence[str]) -> Path:
    """The path, after all checks that can be made before hours of work.

    Args:
        path: where to write.
        force: whether a file that is there may be replaced.
        inputs: files that must not be replaced in any case.
        kinds: file name endings that can be written.

    Raises:
        OutputError: unknown kind, no such folder, not writable, or something is there already.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file in it.")
        if not _has_ending(path, kinds):
            raise OutputError(f"{path.name} has no known ending; use one of {', '.join(kinds)}.")
        if not path.parent.is_dir():
            raise OutputError(f"There is no folder {path.parent}; make it first or write elsewhere.")
        if any(path.resolve() == given.resolve() for given in inputs):
            raise OutputError(f"{path} is one of the inputs, which are never overwritten; write to another file.")
        if os.path.lexists(path) and not force:
            raise OutputError(f"{path} exists already; choose another name, or allow it with --force.")
        if not os.access(path.resolve().parent, os.W_OK):
            raise OutputError(f"Nothing can be written to the folder {path.resolve().parent}; choose another one.")
    except OSError as error:  # a name too long, a folder that may not be searched
        raise OutputError(f"{path} cannot be written: {error.strerror}; write elsewhere.") from error
    return path.resolve()  # a link keeps pointing where it did


def _has_ending(path: Path, kinds: Sequence[str]) -> bool:
    """Whether a name ends in one of these; `.seg.nrrd` is no `.nrrd`, since Slicer reads it as a segmentation."""
    name = path.name.lower()
    return name.endswith(tuple(kinds)) and (SEGMENTATION in kinds or not name.endswith(SEGMENTATION))


@contextmanager
def all_or_nothing(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Temporary files beside the final ones; they take their names only when all has been written.

    Raises:
        OutputError: the disk is full, or the folder has become unwritable.
    """
    temporary: list[Path] = []
    try:
        for path in paths:
            ending = next(e for e in (SEGMENTATION, *LABELMAPS) if path.name.lower().endswith(e))
            handle, name = tempfile.mkstemp(prefix=".fewshotsegment-", suffix=ending, dir=path.parent)
            os.close(handle)
            temporary.append(Path(name))
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        for part in temporary:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
            if not is_whole(part):
                raise OSError(errno.ENOSPC, "the disk is full")  # ITK writes what fits of a NIfTI, and says nothing
        _move(temporary, paths)
    except OSError as error:
        raise OutputError(f"The result cannot be written to {_folders(paths)}: {error.strerror or error}.") from error
    except RuntimeError as error:  # SimpleITK's writers
        raise OutputError(f"The result cannot be written to {_folders(paths)}; is the disk full?") from error
    finally:
        for part in temporary:
            part.unlink(missing_ok=True)


def _move(parts: Sequence[Path], paths: Sequence[Path]) -> None:
    """Give all files their final names; if one cannot have it, what was there before comes back."""
    if len(paths) == 1:
        parts[0].replace(paths[0])  # one step: at any moment the old file or the new one is there
        return
    moved: list[tuple[Path, Path | None]] = []
    try:
        for part, path in zip(parts, paths, strict=True):
            old = path.rename(part.with_name(f"{part.name}.old")) if path.exists() else None
            moved.append((path, old))
            part.replace(path)
    except BaseException:
        for path, old in moved:
            path.unlink(missing_ok=True)
            if old:
                old.replace(path)
        raise
    for _, old in moved:
        if old:
            old.unlink()


def _folders(paths: Sequence[Path]) -> str:
    return " and ".join(dict.fromkeys(str(path.parent) for path in paths))


def write_segmentation(
    path: Path, found: Sequence[Found], geometry: Geometry, fields: Mapping[str, str] | None = None
) -> list[str]:
    """Write segments as `.seg.nrrd` or as a labelmap, by the file's ending.

    Args:
        path: a file that may be replaced (see `all_or_nothing`).
        found: in the order in which they are to be listed.
        geometry: of all masks.
        fields: header fields to carry over into a `.seg.nrrd`.

    Returns:
        What had to be decided, a sentence each: which segment wins where two overlap in a labelmap.
    """
    if path.name.lower().endswith(SEGMENTATION):
        content = SegNrrd(*_layers(found, geometry), fields=_general_fields(fields or {}))
        with path.open("wb") as file:
            write_seg_nrrd(file, content)
        return []
    labels, notes = _labelmap(found, geometry)
    _write_image(path, labels, geometry)
    return notes


def write_confidence(path: Path, probabilities: Iterable[NDArray[np.float32]], geometry: Geometry) -> None:
    """Write probabilities, float32: a volume for one segment, for several a 4D image with the segments last.

    Args:
        path: a file that may be replaced, NIfTI, NRRD or MetaImage.
        probabilities: [z, y, x] for each segment; taken one at a time, so that each can be let go once it is copied
            (at 512 × 512 × 300, arrays, images and the joined image are 0.3 GB each for every segment).
        geometry: of all.
    """
    images = []
    for probability in probabilities:
        image = sitk.GetImageFromArray(probability)
        geometry.apply_to(image)
        images.append(image)
    joined = images[0] if len(images) == 1 else sitk.JoinSeries(images)
    images.clear()
    sitk.WriteImage(joined, str(path), useCompression=True)


def _write_image(path: Path, array: NDArray[np.generic], geometry: Geometry) -> None:
    image = sitk.GetImageFromArray(array)
    geometry.apply_to(image)
    sitk.WriteImage(image, str(path), useCompression=True)


def _layers(
    found: Sequence[Found], geometry: Geometry
) -> tuple[list[NDArray[np.generic]], Geometry, list[dict[str, str]]]:
    """Segments on as few layers as hold them without overlap, as Slicer itself stores them."""
    kind = np.uint8 if len(found) < 256 else np.uint16
    layers: list[NDArray[np.generic]] = []
    counts: list[int] = []
    segments = []
    z, y, x = (n - 1 for n in geometry.shape)
    for number, item in enumerate(found):
        place = next((i for i, layer in enumerate(layers) if not layer[item.mask].any()), None)
        if place is None:
            place = len(layers)
            layers.append(np.zeros(geometry.shape, kind))
            counts.append(0)
        counts[place] += 1
        layers[place][item.mask] = counts[place]
        segment = item.segment
        kept = {key: value for key, value in segment.fields.items() if key not in (*_OWN_FIELDS, "Tags")}
        tags = _tags(segment.fields.get("Tags", ""), item.tags)
        segments.append(
            {
                "ID": segment.fields.get("ID", f"Segment_{number + 1}"),
                "Name": segment.name,
                "Color": segment.fields.get("Color", " ".join(f"{c:g}" for c in segment.color)),
                "LabelValue": str(counts[place]),
                "Layer": str(place),
                "Extent": f"0 {x} 0 {y} 0 {z}",
                **kept,
                **({"Tags": tags} if tags else {}),
            }
        )
    return layers or [np.zeros(geometry.shape, kind)], geometry, segments


def _tags(given: str, own: Mapping[str, str]) -> str:
    """A segment's tags: those that were given, letter for letter, but for ours."""
    kept = [tag for tag in given.split("|") if tag and not tag.startswith(_OWN_TAGS)]
    return "".join(f"{tag}|" for tag in [*kept, *(f"{name}:{text}" for name, text in own.items())])


def _general_fields(carried: Mapping[str, str]) -> dict[str, str]:
    """Header fields of the whole segmentation; what described the annotation's own extent is set anew."""
    return {
        **carried,
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }


def _labelmap(found: Sequence[Found], geometry: Geometry) -> tuple[NDArray[np.generic], list[str]]:
    """One label per voxel: the later segment wins, but an annotated slice's voxels over all that was found."""
    highest = max((item.segment.label for item in found), default=0)
    labels = np.zeros(geometry.shape, np.uint8 if highest < 256 else np.uint16 if highest < 65536 else np.uint32)
    notes = []
    for number, item in enumerate(found):
        for earlier in found[:number]:
            overlap = int(np.count_nonzero(earlier.mask & item.mask))
            if overlap:
                notes.append(
                    f"{earlier.segment.name} and {item.segment.name} overlap in {overlap} voxels; in the labelmap "
                    f"{item.segment.name}, the later one, wins except on annotated slices."
                )
        labels[item.mask] = item.segment.label
    for item in found:
        axis, indices = item.anchors
        for index in indices:
            np.moveaxis(labels, axis, 0)[index][np.moveaxis(item.mask, axis, 0)[index]] = item.segment.label
    return labels, notes
