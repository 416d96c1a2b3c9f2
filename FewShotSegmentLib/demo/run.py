"""Calls the public command on a case, as a user would, and reads what it reports."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FewShotError

COMMAND = (sys.executable, "-m", "FewShotSegmentLib.cli.main", "propagate")


class CaseFailed(FewShotError):  # noqa: N818 - says what happened to the case, as `Cancelled` does
    """The command did not finish a case.

    Attributes:
        code: Exit code for the demo: 2 where the input was at fault, else 1.
    """

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SegmentReport:
    """What the command says of one segment.

    Attributes:
        name: Of the segment.
        axis: Array axis across which its slices lie.
        anchors: Indices of the annotated slices.
        found: First slice, last slice and number of slices found; ``None`` where nothing was found.
        ml: Volume in millilitres.
        seconds: Spent on this segment.
    """

    name: str
    axis: int
    anchors: tuple[int, ...]
    found: tuple[int, int, int] | None
    ml: float
    seconds: float


@dataclass(frozen=True)
class Report:
    """What the command says of a whole run.

    Attributes:
        engine: Version, device and weights in a few words.
        modality: ``ct`` or ``mr``, whichever was used.
        seconds: Of the whole run.
        segments: One for each segment of the annotation, in its order.
    """

    engine: str
    modality: str
    seconds: float
    segments: tuple[SegmentReport, ...]


def propagate(volume: Path, annotation: Path, output: Path, modality: str) -> Report:
    """Run ``fewshotsegment propagate``; its progress and its notes go to this program's stderr.

    Args:
        volume: Image file.
        annotation: File with the annotated slices.
        output: ``.seg.nrrd`` to write; an older one is replaced.
        modality: ``ct``, ``mr`` or ``auto``.

    Returns:
        The command's report.

    Raises:
        CaseFailed: The command ended with an error, which it has told on stderr, or its report cannot be read.
    """
    arguments = [str(volume), str(annotation), "-o", str(output), "--modality", modality, "--json", "--force"]
    # Only stdout is caught: the progress on stderr is meant for whoever waits.
    done = subprocess.run([*COMMAND, *arguments], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        why = "could not use the input" if done.returncode == 2 else f"ended with code {done.returncode}"
        raise CaseFailed(
            f"The demo stopped: the command on {volume.name} {why}, as said above.", 2 if done.returncode == 2 else 1
        )
    try:
        return parse(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError) as error:
        raise CaseFailed(f"The demo stopped: the report on {volume.name} cannot be read ({error!r}).", 1) from error


def parse(report: dict[str, Any]) -> Report:
    """Turn the decoded JSON of ``--json`` into a `Report`.

    Args:
        report: The decoded JSON.

    Returns:
        The same, typed.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is of another kind.
        ValueError: A number cannot be read.
    """
    weights = report["weights"]
    return Report(
        engine=f"engine {report['engine_version']} on {report['device']}, weights {weights['name']}",
        modality=str(report["modality"]["used"]).lower(),
        seconds=float(report["seconds"]),
        segments=tuple(_segment(segment) for segment in report["segments"]),
    )


def _segment(segment: dict[str, Any]) -> SegmentReport:
    found = None
    if segment["slices_found"]:
        found = (int(segment["first_slice"]), int(segment["last_slice"]), int(segment["slices_found"]))
    return SegmentReport(
        name=str(segment["name"]),
        axis=int(segment["axis"]),
        anchors=tuple(int(z) for z in segment["anchors"]),
        found=found,
        ml=float(segment["ml"]),
        seconds=float(segment["seconds"]),
    )
