"""All columns of the tables: what each is called, who answers, and which slices are given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import engine
import shared_prototype

from FewShotSegmentLib.evaluation import methods as catalogue
from FewShotSegmentLib.evaluation.method import Recipe
from FewShotSegmentLib.evaluation.protocols.supports import setting_title

ONE, THREE, FIVE = (setting_title(count) for count in (1, 3, 5))
WITHIN_RANGE = f"{FIVE}, range"
# Columns of the second table: the engine with one slice is the mark that a second and a third slice have to beat.
IN_THREE = ("engine1", "engine3", "demons3", "flow3", "prototype3", "grow3", "fill3", "fill5", "engine5")
# Answers to 1 and to 3 slices are compared, so both are asked for at once: see `dice_common` of the protocol.
ONE_AND_THREE = "1,3"


@dataclass(frozen=True)
class Method:
    """One column: a method of the evaluation with so many annotated slices.

    Attributes:
        key: name for --methods and in the JSON.
        title: column heading.
        name: of the evaluation's method.
        setting: of the one-slice protocol.
        note: what else it needs, or how it was run; printed below the tables.
    """

    key: str
    title: str
    name: str
    setting: str
    note: str = ""

    @property
    def anchors(self) -> str:
        """What the protocol is asked for, so that it has this setting."""
        if self.setting in (FIVE, WITHIN_RANGE):
            return "5"
        return ONE_AND_THREE if any(other.name == self.name for other in METHODS if other.key in IN_THREE) else "1"


METHODS = (
    Method("copy", "copy", "copy", ONE, "the annotated slice repeated on every slice"),
    Method("demons", "demons", "demons", ONE, "SimpleITK's demons from slice to slice, ends where the mask is empty"),
    Method(
        "flow", "optical flow", "flow", ONE, "DIS flow from slice to slice, the contour refined by local histograms"
    ),
    Method(
        "grow1",
        "Grow from seeds",
        "grow",
        ONE,
        "Slicer's grow-cut; GIVEN MORE: background on all of the annotated slices and on both end slices of the volume "
        "(there it is told the organ's neighbourhood where the organ reaches the end)",
    ),
    Method("prototype", "prototype", shared_prototype.NAME, ONE, "infer.py and the weights of the shared folder"),
    Method("engine1", "engine", "engine", ONE, "with 1 annotated slice"),
    Method("demons3", "demons, 3", "demons", THREE, "as above; between two slices from both, mixed by distance"),
    Method("flow3", "optical flow, 3", "flow", THREE, "as above; each slice from the nearest annotated one"),
    Method(
        "prototype3",
        "prototype, 3",
        shared_prototype.NAME,
        THREE,
        "made for one slice: each slice from the nearest annotated one",
    ),
    Method("grow3", "Grow from seeds", "grow", THREE, "as above"),
    Method(
        "fill3",
        "Fill between 3",
        "fill",
        THREE,
        "Slicer's Fill between slices with 3 slices: nothing outside the outer two",
    ),
    Method(
        "fill5",
        "Fill between 5",
        "fill",
        FIVE,
        "the same, GIVEN MORE: also the first and the last slice of the organ; its score leaves out these 5 alone",
    ),
    Method("engine3", "engine, 3", "engine", THREE, "the engine with 3 annotated slices"),
    Method(
        "engine5",
        "engine, 5",
        "engine",
        WITHIN_RANGE,
        "GIVEN MORE: the 5 slices of Fill between 5, the outer two as its range; scored like that",
    ),
)
BY_KEY = {method.key: method for method in METHODS}

catalogue.register(shared_prototype.NAME, shared_prototype.make, "prototype")


def recipes(wanted: Iterable[Method], shared: Path) -> tuple[dict[str, Recipe], dict[str, str]]:
    """How the methods of these columns are made, by the evaluation's name; and {key: why a column is not measured}."""
    wanted = list(wanted)
    found = {recipe.name: recipe for recipe in catalogue.recipes([method.name for method in wanted], "within")}
    if shared_prototype.NAME in found:
        recipe = found[shared_prototype.NAME]
        options = {**recipe.options, shared_prototype.FOLDER: str(shared.resolve())}
        found[recipe.name] = replace(recipe, options=options, missing=shared_prototype.missing(shared) or "")
    if "engine" in found:
        found["engine"] = replace(found["engine"], missing=engine.missing() or "")
    missing = {method.key: found[method.name].missing for method in wanted if found[method.name].missing}
    return {name: recipe for name, recipe in found.items() if not recipe.missing}, missing
