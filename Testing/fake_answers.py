"""Plausible answers of a fake worker, made with numpy alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from FewShotSegmentLib.worker.messages import SegmentRef, SegmentResult

REACH = 8
"""Slices on either side of an anchor that a structure is carried to."""

WEIGHTS = {"name": "propagator-fake", "sha256": "ab" * 32}


class Refused(Exception):
    """The request fails with this sentence."""


class FakeAnswers:
    """Answers, and what a user's disk would keep.

    Attributes:
        library: entries by id.
        weights: names of the user's own weights.
        adapted: whether a fine-tuning waits to be kept.
        kept: name under which it was kept, or "".
        better: whether fine-tunings help.
    """

    def __init__(self) -> None:
        self.library: dict[str, dict[str, Any]] = {}
        self.weights: list[str] = []
        self.adapted = False
        self.kept = ""
        self.better = True
        self._number = 0

    def answer(self, request: Any, folder: str) -> dict[str, Any]:
        """The answer to a request; files go to the client's folder."""
        files = _Files(Path(folder) / "answers" / request.id)
        made: dict[str, Any] = getattr(self, "_" + request.kind.replace("-", "_"))(request, files)
        return made

    def _propagate(self, request: Any, files: _Files) -> dict[str, Any]:
        shape = np.load(request.volume.file, mmap_mode="r", allow_pickle=False).shape
        if len(shape) != 3:
            raise Refused("The volume has not 3 dimensions.")
        return _with_provenance(request, [propagated(segment, shape, files) for segment in request.segments])

    def _transfer(self, request: Any, files: _Files) -> dict[str, Any]:
        found = [(s.key, s.name, s.color, s.terminology) for case in request.supports for s in case.segments]
        for key in request.entries:
            if key not in self.library:
                raise Refused(f"There is no entry {key} in the library.")
            entry = self.library[key]
            found.append((key, entry["name"], entry["color"], entry["terminology"]))
        if not found:
            raise Refused("There is nothing to find; choose entries of the library, or annotate a volume.")
        if request.query is None:
            if Path(request.output).exists():
                raise Refused(f"{request.output} exists already; choose another name.")
            Path(request.output).write_text("a segmentation, one would say\n")
            segments = [_ball(key, (20, 20, 20), None, number) for number, (key, *_) in enumerate(found)]
        else:
            shape = np.load(request.query.file, mmap_mode="r", allow_pickle=False).shape
            segments = [_ball(key, shape, files, number) for number, (key, *_) in enumerate(found)]
        structures = [{"key": k, "name": n, "color": list(c), "terminology": t} for k, n, c, t in found]
        return _with_provenance(request, segments) | {"structures": structures, "output": request.output}

    def _library(self, request: Any, files: _Files) -> dict[str, Any]:
        done: dict[str, Any] = {}
        if request.action == "add":
            done["added"] = [self._add_entry(segment) for segment in request.case.segments]
        elif request.action == "remove":
            missing = [key for key in request.entries if key not in self.library]
            if missing:
                raise Refused(f"There is no entry {missing[0]} in the library.")
            done["removed"] = [self.library.pop(key)["id"] for key in request.entries]
        elif request.action == "import":
            if not Path(request.path).is_file():
                raise Refused(f"There is no library {request.path}.")
            segment = SegmentRef("imported", Path(request.path).stem, [1, 2], "", 0)
            done["added"] = [self._add_entry(segment)]
        elif request.action == "export":
            if Path(request.path).exists():
                raise Refused(f"{request.path} exists already; choose another name.")
            Path(request.path).write_text("a library, one would say\n")
            done["exported"] = list(request.entries or self.library)
        entries = [
            entry | {"thumbnail": files.add(_thumbnail(entry)) if request.thumbnails else ""}
            for entry in self.library.values()
        ]
        return {"entries": entries, "notes": [], "path": request.library or "library.fsslib", **done}

    def _add_entry(self, segment: SegmentRef) -> str:
        self._number += 1
        key = f"{self._number:012x}"
        self.library[key] = {
            "id": key,
            "name": segment.name,
            "color": list(segment.color),
            "modality": "ct",
            "slices": len(segment.slices),
            "added": "2026-01-02",
            "terminology": segment.terminology,
        }
        return key

    def _finetune(self, request: Any, files: _Files) -> dict[str, Any]:
        if not any(len(segment.slices) > 1 for case in request.cases for segment in case.segments):
            raise Refused("There is too little to learn from; annotate a structure on at least two slices.")
        self.adapted, self.kept = True, ""
        after = 0.88 if self.better else 0.79
        segment = request.cases[0].segments[0]
        figures = f"(mean score of held-out slices 0.800 before, {after:.3f} after)"
        return {
            "engine_version": "0.0.fake",
            "better": self.better,
            "verdict": f"The adapted weights are better {figures}."
            if self.better
            else f"The adapted weights are no better {figures}, so {WEIGHTS['name']} stays in use.",
            "before": 0.8,
            "after": after,
            "scores": [
                {
                    "volume": request.cases[0].volume.name,
                    "segment": segment.name,
                    "axis": segment.axis,
                    "slice": segment.slices[0],
                    "before": 0.8,
                    "after": after,
                }
            ],
            "volumes": len(request.cases),
            "slices": sum(len(segment.slices) for case in request.cases for segment in case.segments),
            "steps": request.steps or 20,
            "seconds": 12.3,
            "device": "cpu",
            "base": WEIGHTS,
            "settings": {},
            "notes": [],
        }

    def _finetune_keep(self, request: Any, files: _Files) -> dict[str, Any]:
        if not request.name:
            if self.kept:
                self.weights.remove(self.kept)
            self.adapted, self.kept = False, ""
            return {"name": "", "folder": ""}
        if not self.adapted or not self.better:
            raise Refused("There are no adapted weights to keep; fine-tune first.")
        if request.name in self.weights:
            raise Refused(f"There are weights called “{request.name}” already; choose another name.")
        self.weights.append(request.name)
        self.kept = request.name
        return {"name": request.name, "folder": f"weights/{request.name}"}

    def _weights(self, request: Any, files: _Files) -> dict[str, Any]:
        name = ""
        if request.action == "import":
            if not Path(request.path).exists():
                raise Refused(f"{request.path} cannot be imported: a folder with weights.json is needed.")
            name = Path(request.path).stem
            self.weights.append(name)
        elif request.action == "delete":
            if request.name not in self.weights:
                raise Refused(f"There are no weights of your own called “{request.name}”.")
            self.weights.remove(request.name)
            name = request.name
        rows = [(WEIGHTS["name"], True), *((own, False) for own in self.weights)]
        listed = [
            {
                "name": own,
                "sha256": WEIGHTS["sha256"],
                "licence": "Apache-2.0",
                "training_data": "Nothing: it is a fake.",
                "bytes": 21_867_680,
                "folder": f"weights/{own}",
                "bundled": bundled,
                "network": "propagator",
            }
            for own, bundled in rows
        ]
        return {"weights": listed, "folder": "weights", "name": name}

    def _devices(self, request: Any, files: _Files) -> dict[str, Any]:
        return {
            "devices": [
                {
                    "name": "cuda",
                    "text": "NVIDIA RTX 4090, 20.1 of 24.0 GB free",
                    "free_bytes": 20_100_000_000,
                    "usable": True,
                },
                {
                    "name": "cpu",
                    "text": "CPU, 2 threads, 8.0 GB of memory free",
                    "free_bytes": 8_000_000_000,
                    "usable": True,
                },
            ],
            "auto": "cuda",
            "versions": {"fewshotsegment": "0.0.fake", "torch": "2.x"},
            "threads": 2,
        }

    def _forget(self, request: Any, files: _Files) -> dict[str, Any]:
        return {}


class _Files:
    def __init__(self, folder: Path):
        self._folder = folder
        self._number = 0

    def add(self, array: np.ndarray) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._number}.npy"
        self._number += 1
        np.save(path, array)
        return str(path)


def propagated(segment: SegmentRef, shape: tuple[int, ...], files: _Files) -> dict[str, Any]:
    """The nearest anchor's mask on every slice up to `REACH` away, smaller and less sure with the distance."""
    count = shape[segment.axis]
    masks = dict(zip(segment.slices, np.load(segment.file) != 0, strict=True))
    filled = [index for index, mask in masks.items() if mask.any()]
    if not filled and segment.around is None:
        raise Refused(f"The annotation of {segment.name} is empty; draw the structure on at least one slice.")
    first, last = segment.range or (0, count - 1)
    renewed = _renewed(segment, count, first, last)
    whole = np.zeros(shape, np.uint8)
    stack = np.moveaxis(whole, segment.axis, 0)
    confidence = np.ones(count)
    for index in range(first, last + 1):
        if not any(start <= index <= end for start, end in renewed):
            continue
        if index in masks:
            stack[index] = masks[index]
        elif filled:
            nearest = min(filled, key=lambda anchor: abs(anchor - index))
            distance = abs(nearest - index)
            confidence[index] = max(0.1, 1 - distance / (REACH + 2))
            if distance <= REACH:
                stack[index] = _shrunk(masks[nearest], 1 - distance / (REACH + 4))
    return _result(segment.key, whole, segment.axis, confidence, renewed, sorted(masks), files)


def _renewed(segment: SegmentRef, count: int, first: int, last: int) -> list[list[int]]:
    """Runs of slices that depend on the anchors that are new, changed or gone."""
    if segment.around is None:
        return [[0, count - 1]]
    others = sorted(set(segment.slices) - set(segment.around))
    wanted = set()
    for index in segment.around:
        start = max([anchor + 1 for anchor in others if anchor < index], default=first)
        end = min([anchor - 1 for anchor in others if anchor > index], default=last)
        wanted |= set(range(start, end + 1))
    runs: list[list[int]] = []
    for index in sorted(wanted):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return runs


def _shrunk(mask: np.ndarray, scale: float) -> np.ndarray:
    """A mask made smaller about its middle."""
    rows, columns = np.nonzero(mask)
    middle = rows.mean(), columns.mean()
    places = [
        np.rint((np.arange(size) - center) / scale + center).astype(int)
        for size, center in zip(mask.shape, middle, strict=True)
    ]
    inside = [(place >= 0) & (place < size) for place, size in zip(places, mask.shape, strict=True)]
    clipped = [np.clip(place, 0, size - 1) for place, size in zip(places, mask.shape, strict=True)]
    return mask[np.ix_(*clipped)] & np.outer(*inside)


def _ball(key: str, shape: tuple[int, ...], files: _Files | None, number: int) -> dict[str, Any]:
    """A found structure: an ellipsoid, each a little further along."""
    grids = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    mask = sum((grid - 0.15 * number) ** 2 for grid in grids) < 0.25
    confidence = np.where(mask.any(axis=(1, 2)), 0.8, 0.9)
    anchors = [int(i) for i in np.flatnonzero(mask.any(axis=(1, 2)))[1::3]]
    found = _result(key, mask.astype(np.uint8), 0, confidence, [[0, shape[0] - 1]], anchors, files)
    return found | {"overall": 0.8}


def _result(
    key: str,
    whole: np.ndarray,
    axis: int,
    confidence: np.ndarray,
    renewed: list[list[int]],
    anchors: list[int],
    files: _Files | None,
) -> dict[str, Any]:
    filled = np.argwhere(whole)
    low, high = (filled.min(axis=0), filled.max(axis=0) + 1) if len(filled) else (np.zeros(3, int), np.ones(3, int))
    box = whole[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    file = files.add(box) if files is not None else ""
    origin = [int(part) for part in low] if files is not None else [0, 0, 0]
    return asdict(SegmentResult(key, file, origin, axis, [float(c) for c in confidence], renewed, anchors, seconds=0.1))


def _with_provenance(request: Any, segments: list[dict[str, Any]]) -> dict[str, Any]:
    name = request.weights or WEIGHTS["name"]
    return {
        "segments": segments,
        "notes": [],
        "device": "cpu" if request.device == "auto" else request.device,
        "weights": WEIGHTS | {"name": name},
        "engine_version": "0.0.fake",
        "modality": {"used": "ct", "source": "guessed"},
        "seconds": 0.2,
    }


def _thumbnail(entry: dict[str, Any]) -> np.ndarray:
    """A grey ramp with a coloured square."""
    picture = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], 96, axis=0).repeat(3, axis=2)
    picture[32:64, 48:80] = np.rint(255 * np.array(entry["color"]))
    return picture
