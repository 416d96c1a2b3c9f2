"""All rows of the tables: what each is called, which slices it is given and what runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import engine
import numpy as np
from baselines import copy_slice, demons, fill_between_slices, grow_from_seeds, prototype, slicer_process
from cases import Structure

Propagate = Callable[[Structure, dict[int, np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Method:
    """One way to get a volume's mask from annotated slices.

    Attributes:
        key: name for --methods and in the JSON.
        title: column heading.
        anchors: "one", "three" or "five": which slices it is given (see `cases.ANCHORS`).
        note: what else it needs, or how it was run; printed below the tables.
    """

    key: str
    title: str
    anchors: str
    note: str = ""


METHODS = (
    Method("copy", "copy", "one", "the annotated slice repeated on every slice"),
    Method(
        "demons",
        "demons",
        "one",
        f"SimpleITK's demons from slice to slice ({demons.ITERATIONS} iterations, "
        f"smoothing {demons.SMOOTHING_PIXELS} px), ends where the mask is empty",
    ),
    Method(
        "grow1",
        "Grow from seeds",
        "one",
        "Slicer's grow-cut; GIVEN MORE: background on all of the annotated slices and on both end slices of the volume "
        "(there it is told the organ's neighbourhood where the organ reaches the end)",
    ),
    Method("prototype", "prototype", "one", "infer.py and the weights of the shared folder"),
    Method("engine1", "engine", "one", "with 1 annotated slice"),
    Method("grow3", "Grow from seeds", "three", "as above"),
    Method(
        "fill3", "Fill between 3", "three", "Slicer's Fill between slices with 3 slices: nothing outside the outer two"
    ),
    Method(
        "fill5",
        "Fill between 5",
        "five",
        "the same, GIVEN MORE: also the first and the last slice of the organ; all 5 are left out of its score",
    ),
    Method("engine3", "engine, 3", "three", "the engine with 3 annotated slices"),
    Method("engine5", "engine, 5", "five", "GIVEN MORE: the 5 slices of Fill between 5, the outer two as its range"),
)
BY_KEY = {method.key: method for method in METHODS}


def load(wanted: list[Method], shared: Path) -> tuple[dict[str, Propagate], dict[str, str]]:
    """What runs each wanted method, and why the others cannot be run here."""
    reasons = {
        "prototype": prototype.missing(shared),
        "engine": engine.missing(),
        "slicer": slicer_process.missing(),
    }
    needs = {method.key: _needs(method.key) for method in wanted}
    missing = {key: reasons[need] for key, need in needs.items() if need and reasons[need]}
    present = {key for key in needs if key not in missing}
    runners: dict[str, Propagate] = {"copy": copy_slice.propagate, "demons": demons.propagate}
    if present & {"grow1", "grow3", "fill3", "fill5"}:
        slicer_process.start()
        runners |= dict.fromkeys(("grow1", "grow3"), grow_from_seeds.propagate)
        runners |= dict.fromkeys(("fill3", "fill5"), fill_between_slices.propagate)
    if "prototype" in present:
        runners["prototype"] = prototype.Prototype(shared).propagate
    if present & {"engine1", "engine3", "engine5"}:
        loaded = engine.LoadedEngine()
        runners |= dict.fromkeys(("engine1", "engine3"), loaded.propagate)
        runners["engine5"] = loaded.propagate_within
    return {key: runners[key] for key in needs if key in present}, missing


def _needs(key: str) -> str | None:
    """What has to be installed or at hand for a method."""
    if key.startswith(("grow", "fill")):
        return "slicer"
    return "engine" if key.startswith("engine") else "prototype" if key == "prototype" else None
