"""The worker protocol: what a client asks and what the worker answers, one JSON object a line.

Importing this needs nothing but the standard library: Slicer's side has neither torch nor the engine's other packages
before its user has agreed to install them. Voxels never travel in messages: they lie in files of the client's private
folder, as `.npy` without pickles, and are memory-mapped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

PROTOCOL = 1
"""Raised with every change that an older client or worker would misunderstand."""

LOADING = "loading"
"""Phase of `Progress` while libraries and weights are loaded: the worker may be silent for long then, since loading a
large library from a slow disk stops all of its threads."""


class ProtocolError(ValueError):
    """A line is no message of this protocol; the text says what is wrong with it."""


# --- what requests are made of ---


@dataclass(frozen=True)
class VolumeRef:
    """A volume in a file.

    Attributes:
        key: names these voxels; the worker keeps what it has computed of a key, so other voxels need another one.
        file: `.npy`, [z, y, x], any real type.
        ijk_to_lps: 4 × 4 as rows.
        modality: "auto", "ct" or "mr".
        name: for sentences.
    """

    key: str
    file: str
    ijk_to_lps: list[list[float]]
    modality: str = "auto"
    name: str = "the volume"


@dataclass(frozen=True)
class SegmentRef:
    """Annotated slices of one structure.

    Attributes:
        key: names it in the answer.
        name: as the user called it.
        slices: indices along the axis.
        file: `.npy` uint8 [len(slices), row, column], 0 or 1; rows and columns are the array axes that remain when
            the axis is moved to the front.
        axis: array axis across the slices.
        color: red, green, blue, 0 to 1.
        terminology: Slicer's terminology entry as text, or "".
        around: slices whose anchors are new, changed or gone; only their neighbourhood is computed (see
            `propagation.neighbourhood`). None for everything.
        range: first and last slice that may hold the structure, or None.
    """

    key: str
    name: str
    slices: list[int]
    file: str
    axis: int
    color: list[float] = field(default_factory=lambda: [0.5, 0.5, 0.5])
    terminology: str = ""
    around: list[int] | None = None
    range: list[int] | None = None


@dataclass(frozen=True)
class SegmentResult:
    """One structure in an answer.

    Attributes:
        key: of the request.
        file: `.npy` uint8 [z, y, x], 0 or 1: a box of the volume, of one empty voxel where nothing was found.
        origin: (z, y, x) of the box's first voxel; the rest of the volume is 0.
        axis: array axis along which the mask was carried.
        confidence: of every slice along the axis, 0 to 1.
        renewed: [first, last] runs of slices that were computed; the others' masks are 0 and mean nothing, unless
            `renewed` covers the volume.
        anchors: slices that were given, or (transfer) found.
        found: whether the structure is there; False only for transfer.
        overall: overall confidence of a transfer, else 1.
        seconds: that it took.
    """

    key: str
    file: str
    origin: list[int]
    axis: int
    confidence: list[float]
    renewed: list[list[int]]
    anchors: list[int]
    found: bool = True
    overall: float = 1.0
    seconds: float = 0.0


# --- requests ---


@dataclass(frozen=True)
class Request:
    """Base; `kind` names the type on the wire, `id` the request."""

    kind: ClassVar[str] = ""
    id: str = ""


@dataclass(frozen=True)
class Propagate(Request):
    """Carry annotated slices through their volume.

    Answer: `segments` (SegmentResult), `notes` (sentences), `device`, `weights` (`name`, `sha256`), `engine_version`,
    `modality` (`used`: "ct" or "mr"; `source`: "given", "file" or "guessed"), `seconds`.
    """

    kind: ClassVar[str] = "propagate"
    volume: VolumeRef | None = None
    segments: list[SegmentRef] = field(default_factory=list)
    device: str = "auto"
    weights: str | None = None


@dataclass(frozen=True)
class Transfer(Request):
    """Find structures of other volumes in this one.

    Supports of the same name are of one structure, whose key is that of the first one: its entry's id, or its
    `SegmentRef.key`. Answer: as `Propagate`, and `structures` (`key`, `name`, `color`, `terminology`; in the order of
    `segments`); of a file query: `output` (file), and an empty `segments[].file`.

    Attributes:
        query: the volume, or None where `query_file` is given.
        query_file: an image file or DICOM folder.
        output: `.seg.nrrd` that a file query is written to; never one that exists.
        library: library file, "" for the user's own.
        entries: ids of library entries that serve as supports.
        supports: further supports, annotated volumes of the scene.
        method: few-shot network.
    """

    kind: ClassVar[str] = "transfer"
    query: VolumeRef | None = None
    query_file: str = ""
    output: str = ""
    library: str = ""
    entries: list[str] = field(default_factory=list)
    supports: list[AnnotatedRef] = field(default_factory=list)
    method: str = "dspnet"
    device: str = "auto"
    weights: str | None = None


@dataclass(frozen=True)
class AnnotatedRef:
    """A volume with annotated slices.

    Attributes:
        volume: it.
        segments: what is annotated.
        complete: whether each segment is drawn on all slices that it is on (fine-tuning).
    """

    volume: VolumeRef
    segments: list[SegmentRef]
    complete: bool = False


@dataclass(frozen=True)
class Library(Request):
    """Work on a support library.

    Answer: `entries` (`id`, `name`, `color`, `modality`, `slices`, `added`, `terminology`, `thumbnail`: `.npy` uint8
    [row, column, 3] or ""; all there are afterwards), `added`, `removed` or `exported` (ids), `notes`, `path`.

    Attributes:
        action: "list", "add", "remove", "import", "export".
        library: file, "" for the user's own.
        entries: ids, for remove and export.
        case: what to add.
        path: file, for import and export (export: never one that exists).
        thumbnails: whether pictures are made.
    """

    kind: ClassVar[str] = "library"
    action: str = "list"
    library: str = ""
    entries: list[str] = field(default_factory=list)
    case: AnnotatedRef | None = None
    path: str = ""
    thumbnails: bool = True


@dataclass(frozen=True)
class Finetune(Request):
    """Adapt the weights.

    Answer: the fine-tuning's report (`better`, `verdict`, `before`, `after`, `scores`, `base`, …, see
    `FinetuneResult.to_json`); the adapted weights wait in the worker for `FinetuneKeep`.

    Attributes:
        cases: annotated volumes.
        minutes: time that it should take.
        steps: steps of training, in place of minutes.
    """

    kind: ClassVar[str] = "finetune"
    cases: list[AnnotatedRef] = field(default_factory=list)
    minutes: float = 5.0
    steps: int | None = None
    device: str = "auto"
    weights: str | None = None


@dataclass(frozen=True)
class FinetuneKeep(Request):
    """Keep (`name`) or drop (empty name) what the last `Finetune` made; a dropped one that was kept is removed again.

    Answer: `name`, `folder` (both empty when dropped).
    """

    kind: ClassVar[str] = "finetune-keep"
    name: str = ""


@dataclass(frozen=True)
class Weights(Request):
    """Work on the weights.

    Answer: `weights` (`name`, `sha256`, `licence`, `training_data`, `bytes`, `folder`, `bundled`, `network`; all there
    are afterwards), `folder` (of the user's own), `name` (imported or deleted, else "").

    Attributes:
        action: "list", "import", "delete".
        path: weights folder or its manifest file, for import.
        name: for delete.
    """

    kind: ClassVar[str] = "weights"
    action: str = "list"
    path: str = ""
    name: str = ""


@dataclass(frozen=True)
class Devices(Request):
    """What can compute here.

    Answer: `devices` (`name`, `text`, `free_bytes` or None, `usable`), `auto` (name), `versions` ({package: version}),
    `threads`.
    """

    kind: ClassVar[str] = "devices"


@dataclass(frozen=True)
class Forget(Request):
    """Let go of what is kept of volumes. Answer: {}.

    Attributes:
        keys: of volumes; all if empty.
    """

    kind: ClassVar[str] = "forget"
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cancel(Request):
    """Stop request `target`, within one slice; its answer is then `Cancelled`. Has no answer of its own."""

    kind: ClassVar[str] = "cancel"
    target: str = ""


# --- answers ---


@dataclass(frozen=True)
class Event:
    """Base; `id` is the request's, "" where there is none."""

    kind: ClassVar[str] = ""
    id: str = ""


@dataclass(frozen=True)
class Ready(Event):
    """First line of a worker.

    Attributes:
        protocol: `PROTOCOL`.
        engine_version: of the engine.
        pid: of the process that computes; the one that was started may only be its launcher.
        python: its version.
    """

    kind: ClassVar[str] = "ready"
    protocol: int = 0
    engine_version: str = ""
    pid: int = 0
    python: str = ""


@dataclass(frozen=True)
class Progress(Event):
    """How far it is; `seconds_left` is None while nothing can be said."""

    kind: ClassVar[str] = "progress"
    done: int = 0
    total: int = 0
    phase: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class Done(Event):
    """The answer; what is in it depends on the request."""

    kind: ClassVar[str] = "done"
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed(Event):
    """The request failed and changed nothing.

    Attributes:
        sentence: one plain sentence.
        detail: traceback of what is a mistake of ours, else "".
    """

    kind: ClassVar[str] = "failed"
    sentence: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Cancelled(Event):
    """The request was cancelled and changed nothing."""

    kind: ClassVar[str] = "cancelled"


@dataclass(frozen=True)
class Alive(Event):
    """Sent every few seconds, whatever else goes on; `idle_seconds` since work last moved (0 while there is none)."""

    kind: ClassVar[str] = "alive"
    idle_seconds: float = 0.0
