"""Transfers from files to files: supports once, then volume after volume. What the command line and scripts run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Cancelled, FewShotError, InputError, OutputError
from .images import (
    Annotation,
    Segment,
    Volume,
    check_output,
    read_annotation,
    read_volume,
    write_confidence,
    write_segmentation,
)
from .images.folders import stem_of
from .images.output import LABELMAPS, SEGMENTATION, Found, all_or_nothing
from .progress import Progress
from .support import Support, SupportLibrary, collect_supports
from .support.library import plain_name
from .transfer_report import not_found, own_volume, segment_entry, support_entry
from .version import __version__
from .weights import find_weights_folder
from .weights.manifest import MANIFEST

if TYPE_CHECKING:
    from .networks import FewShotNetwork
    from .transfer import Transfer

KINDS = (SEGMENTATION, *LABELMAPS)
_CHECKPOINT_METHODS = {"dspnet-published": "dspnet", "alpnet": "alpnet"}
_STEPS = 1000
"""Steps of progress for each volume."""


@dataclass(frozen=True)
class TransferJob:
    """What is to be done; paths are not looked at before `run`.

    Attributes:
        queries: volumes in which the segments are to be found: image files or DICOM folders.
        folder: where results go, one file for each query, called as the query; made if it is not there.
        supports: (volume, annotation) of annotated volumes.
        library: library of supports to use as well; the user's own where there is neither this nor `supports`.
        segments: names of the segments to carry; all by default.
        method: few-shot network, see `transfer.METHODS`.
        checkpoint: published checkpoint for methods dspnet-published and alpnet, or a folder of weights that
            `fewshotsegment pretrain` made for the method.
        propagate: False writes the bare few-shot result, slice by slice.
        modality: of the queries: "auto", "ct" or "mr".
        support_modality: of `supports`.
        axis: array axis across which the supports' slices lie; found from the data by default.
        device: "auto", "cpu", "cuda" or "mps".
        kind: ending of the results' names, one of `KINDS`.
        confidence: whether images of probabilities are written too.
        force: whether files that are there may be replaced.
        series: DICOM series UID of the query, where its folder holds several.
        support_series: as `series`, of the supports.
        weights: folder with weights, or name of adapted ones; the bundled ones by default.
    """

    queries: Sequence[Path]
    folder: Path
    supports: Sequence[tuple[Path, Path]] = ()
    library: Path | None = None
    segments: Sequence[str] = ()
    method: str = "dspnet"
    checkpoint: Path | None = None
    propagate: bool = True
    modality: str = "auto"
    support_modality: str = "auto"
    axis: int | None = None
    device: str = "auto"
    kind: str = SEGMENTATION
    confidence: bool = False
    force: bool = False
    series: str | None = None
    support_series: str | None = None
    weights: str | Path | None = None

    def run(self, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> dict[str, Any]:
        """Do it. A query that cannot be used does not keep the others from theirs; it is in the report.

        Returns:
            A report that can be written as JSON (see the README's “Command line”).

        Raises:
            FewShotError: nothing at all can be done: the supports, the method or the folder cannot be used.
            Cancelled: `cancelled` said yes; results written before stay.
        """
        with _folder_if_used(self.folder):
            return self._run(progress, cancelled)

    def _run(self, progress: Progress | None, cancelled: Callable[[], bool] | None) -> dict[str, Any]:
        start = time.perf_counter()
        outputs = self._check_outputs()
        weights = find_weights_folder(self.weights)
        segments, notes = self._collect()

        from .engine import Engine  # noqa: PLC0415 - imports torch: a wrong file name must not wait seconds for it
        from .transfer import Transfer  # noqa: PLC0415

        engine = Engine.load(self.device, weights_folder=weights)
        transfer = Transfer(engine, self.method, self._network())
        entries = []
        for number, (query, paths) in enumerate(zip(self.queries, outputs, strict=True)):

            def step(done: int, total: int, number: int = number) -> None:
                if progress:
                    progress(number * _STEPS + round(_STEPS * done / max(1, total)), len(self.queries) * _STEPS)

            try:
                entries.append(self._one(query, paths, transfer, segments, step, cancelled))
            except (KeyboardInterrupt, Cancelled) as stop:
                done = sum("error" not in entry for entry in entries)
                if not done:
                    raise
                raise Cancelled(
                    f"Cancelled: {done} of {len(self.queries)} volumes had been done, and their results stay."
                ) from stop
            except FewShotError as error:
                if len(self.queries) == 1:
                    raise
                entries.append({"volume": str(query), "output": None, "error": str(error)})
            step(1, 1)
        return {
            "engine_version": __version__,
            "device": str(engine.device),
            "method": self.method,
            "checkpoint": str(self.checkpoint) if self.checkpoint else None,
            "propagated": self.propagate,
            "weights": {"name": engine.weights.name, "sha256": engine.weights.sha256},
            "supports": [support_entry(support, n) for own in segments.values() for n, support in enumerate(own)],
            "notes": notes,
            "seconds": round(time.perf_counter() - start, 3),
            "queries": entries,
        }

    def _one(
        self,
        query: Path,
        paths: list[Path],
        transfer: Transfer,
        segments: dict[str, list[Support]],
        progress: Progress,
        cancelled: Callable[[], bool] | None,
    ) -> dict[str, Any]:
        start = time.perf_counter()
        volume = read_volume(query, self.series)
        modality = self.modality if self.modality != "auto" else volume.modality or "auto"
        results = transfer.run(
            volume.array,
            volume.geometry,
            segments,
            modality=modality,
            propagate=self.propagate,
            keep_probability=self.confidence,
            progress=progress,
            cancelled=cancelled,
        )
        notes = [*transfer.notes, *own_volume(volume, segments), *not_found(results)]
        found = []
        identities: set[str] = set()
        for label, (name, result) in enumerate(results.items(), 1):
            first = segments[name][0]
            fields = with_own_identity(first.fields, label, identities)
            segment = Segment(name, first.color, label, fields, result.mask, 1)
            found.append(Found(segment, result.mask, (result.axis, ())))
        with all_or_nothing(paths) as parts:
            notes += write_segmentation(parts[0], found, volume.geometry)
            if self.confidence:
                probabilities = (r.probability for r in results.values() if r.probability is not None)
                write_confidence(parts[1], probabilities, volume.geometry)
        return {
            "volume": str(query),
            "output": str(paths[0]),
            "confidence": str(paths[1]) if self.confidence else None,
            "modality": {"used": transfer.modality, "source": self._source(volume)},
            "seconds": round(time.perf_counter() - start, 3),
            "notes": notes,
            "segments": [segment_entry(n, label, r, volume) for label, (n, r) in enumerate(results.items(), 1)],
        }

    def _source(self, volume: Volume) -> str:
        return "given" if self.modality != "auto" else "file" if volume.modality else "guessed"

    def _network(self) -> FewShotNetwork[Any] | None:
        """The network of a checkpoint, if one was given."""
        if self.checkpoint is None:
            return None
        if (self.checkpoint / MANIFEST).is_file():
            from .weights.few_shot import load_few_shot  # noqa: PLC0415

            return load_few_shot(self.checkpoint, self.method)
        if self.method not in _CHECKPOINT_METHODS:
            known = " and ".join(_CHECKPOINT_METHODS)
            raise InputError(f"A checkpoint goes with the methods {known}, not with {self.method}.")
        from .networks import from_reference_checkpoint  # noqa: PLC0415

        return from_reference_checkpoint(self.checkpoint, method=_CHECKPOINT_METHODS[self.method])

    def _check_outputs(self) -> list[list[Path]]:
        """For each query the files to write; nothing is written over an input or, unasked, over what is there."""
        if not self.queries:
            raise InputError("There is no volume to find the segments in; name at least one.")
        for number, query in enumerate(self.queries):
            if any(query.resolve() == earlier.resolve() for earlier in self.queries[:number]):
                raise InputError(f"The volume {query} is given twice; name it once.")
        inputs = [*self.queries, *(path for pair in self.supports for path in pair)]
        inputs += [path for path in (self.library, self.checkpoint) if path]
        endings = [self.kind, *([".confidence.nii.gz"] if self.confidence else [])]
        outputs: list[list[Path]] = []
        taken: set[str] = set()
        for query in self.queries:
            names = [
                stem_of(query),
                f"{_whole(query).parent.name}_{stem_of(query)}",
            ]  # of two folders' files of one name
            files = ([f"{name}{ending}" for ending in endings] for name in names)
            free = next((these for these in files if not taken & {name.casefold() for name in these}), None)
            if free is None:
                raise InputError(f"Two volumes are called {query.name}; carry them to two folders.")
            taken |= {name.casefold() for name in free}
            outputs.append([check_output(self.folder / name, self.force, inputs, KINDS) for name in free])
        return outputs

    def _collect(self) -> tuple[dict[str, list[Support]], list[str]]:
        """{segment: supports}, and what their user should know."""
        notes: list[str] = []
        sources: list[tuple[list[Support], bool]] = []
        offered: dict[str, None] = {}
        met: set[str] = set()
        for path, drawn in self.supports:
            volume = read_volume(path, self.support_series)
            annotation = read_annotation(drawn, volume.geometry)
            offered.update(dict.fromkeys(segment.name for segment in annotation.segments))
            wanted = self._wanted(annotation, met)
            if self.segments and not wanted:
                continue
            found, said = collect_supports(
                volume,
                annotation,
                segments=wanted,
                axis=self.axis,
                modality=self.support_modality,
                keep_source=True,  # stays in this run and its report
            )
            sources.append((found, True))
            notes += [f"{path.name}: {note}" for note in said]
        if self.library is not None or not self.supports:
            sources.append((self._from_library(offered, met), False))
        for name in self.segments:
            if name not in met:
                raise InputError(f"There is no segment “{name}” in the supports; there are: {', '.join(offered)}.")
        segments: dict[str, list[Support]] = {}
        for source, distinct in sources:
            _add(segments, source, distinct)
        if not segments:
            raise InputError("There is no support; annotate a volume and give it with --support, or --library.")
        return segments, notes

    def _wanted(self, annotation: Annotation, met: set[str]) -> list[str]:
        """Names of the annotation's segments that are asked for, in capitals or not or, of a labelmap, by value."""
        wanted = []
        for segment in annotation.segments:
            own = {plain_name(segment.name)} | (set() if segment.fields else {str(segment.label)})
            asked = [name for name in self.segments if plain_name(name) in own]
            met.update(asked)
            wanted += [segment.name] if asked else []
        return wanted

    def _from_library(self, offered: dict[str, None], met: set[str]) -> list[Support]:
        """Supports from the library; what it has and what was met of the names asked for is added to both."""
        library = SupportLibrary(self.library)
        entries = library.entries()
        if not entries:
            if self.library is None:
                raise InputError(
                    "There is nothing to find: give an annotated volume with --support, or add one to the library."
                )
            if not library.path.exists():
                raise InputError(f"There is no library {library.path}; check its name.")
            raise InputError(f"The library {library.path} is empty; add to it with “fewshotsegment library add”.")
        offered.update(dict.fromkeys(entry.name for entry in entries))
        known = {plain_name(entry.name) for entry in entries}
        met.update(name for name in self.segments if plain_name(name) in known)
        wished = {plain_name(name) for name in self.segments}
        names = [entry.id for entry in entries if not wished or plain_name(entry.name) in wished]
        return library.load(names) if names else []


@contextmanager
def _folder_if_used(folder: Path) -> Iterator[None]:
    """A folder that is there while results are written; where nothing is, what had to be made goes again."""
    try:
        if folder.is_file():
            raise OutputError(f"{folder} is a file; name a folder for the results.")
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}; write elsewhere.") from error
    try:
        yield
    finally:
        with suppress(OSError):  # not empty, as it should be
            for path in made:
                path.rmdir()


def with_own_identity(fields: Mapping[str, str], label: int, taken: set[str]) -> dict[str, str]:
    """A segment's header fields, its ID changed if another one has it: Slicer keeps only one segment of an ID.

    Supports of different annotations often share one, since Slicer calls the first segment of each Segment_1.

    Args:
        fields: of the support.
        label: of the segment; one without an ID is called by it (see `write_segmentation`).
        taken: IDs given so far; the segment's is added.
    """
    given = fields.get("ID", f"Segment_{label}")
    own, number = given, 0
    while own in taken:
        number += 1
        own = f"{given}_{number}"
    taken.add(own)
    return dict(fields) if own == given else {**fields, "ID": own}


def _add(segments: dict[str, list[Support]], source: Sequence[Support], distinct: bool) -> None:
    """Add one source's supports.

    In one annotation (`distinct`) a second segment of the same name is another structure; in a library it is the same
    one, drawn again.
    """
    used: set[tuple[str, str]] = set()
    for support in source:
        name = next((known for known in segments if plain_name(known) == plain_name(support.name)), support.name)
        while distinct and (name, support.volume_id) in used:
            name += "′"
        used.add((name, support.volume_id))
        segments.setdefault(name, []).append(support if name == support.name else replace(support, name=name))


def _whole(path: Path) -> Path:
    """A path with names for “.” and “..”, links not followed: what they lead to may be called otherwise."""
    return Path(os.path.abspath(path))
