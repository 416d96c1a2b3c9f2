"""What the tests of the report share: rows as they could have been measured, and small cases with answers."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from FewShotSegmentLib.evaluation.case import Case, Scan
from FewShotSegmentLib.evaluation.method import Recipe
from FewShotSegmentLib.evaluation.report import save_mask, write
from FewShotSegmentLib.evaluation.row import METRICS, Row
from FewShotSegmentLib.images import Geometry

ORGANS = {"liver": 1, "spleen": 2}
METHODS = (
    Recipe("engine", "FewShotSegment", ("within",)),
    Recipe("copy", "Copy", ("within",)),
    Recipe("demons", "Demons", ("within",)),
)


def make_row(dice=0.9, **changes):
    """A row; metrics other than Dice follow from it unless given."""
    metrics = dict.fromkeys(METRICS, dice) | {"hausdorff_mm": 12.5, "hd95_mm": 6.25, "asd_mm": 1.5, "volume_error": 0.1}
    metrics |= changes.pop("metrics", {})
    values = {
        "protocol": "one-slice",
        "dataset": "generic",
        "group": "",
        "case": "a",
        "patient": "a",
        "organ": "liver",
        "fold": "",
        "method": "engine",
        "setting": "1 slice",
        "round": 0,
        "support": "",
        "given": (3,),
        "slices": 6,
        "seconds": 0.5,
        "peak_mb": 20.0,
        "parameters": 1234567,
    }
    return Row(metrics=metrics, **(values | changes))


def load(seed):
    """Two ellipsoids in noise, [8, 40, 48]."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in (8, 40, 48)), indexing="ij")
    labels = np.zeros(z.shape, np.uint8)
    for value, (row, column, radius) in {1: (18, 14 + seed % 3, 9), 2: (22, 34, 6)}.items():
        labels[((z - 3.5) / 3.2) ** 2 + ((y - row) / radius) ** 2 + ((x - column) / radius) ** 2 < 1] = value
    image = (40 + 60.0 * (labels == 1) - 50.0 * (labels == 2) + random.normal(0, 8, z.shape)).astype(np.int16)
    return Scan(image, labels, Geometry(z.shape, np.diag([1.5, 1.5, 5.0, 1.0])), "ct")


def make_cases(count=4):
    return {f"case {n}": Case("generic", f"case {n}", f"p{n}", "ct", ORGANS, partial(load, n)) for n in range(count)}


def answer(reference, shift):
    """The reference moved along y: less and less right."""
    return np.roll(reference, shift, axis=1)


def overlap(a, b):
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


def answered_rows(folder, cases, settings=("1 slice", "3 slices"), methods=("engine", "copy", "demons")):
    """Rows with masks in the folder, profiles and confidence."""
    rows = []
    for number, (name, case) in enumerate(cases.items()):
        scan = case.read()
        for organ in case.organs:
            reference = case.mask(scan, organ)
            held = np.flatnonzero(reference.any(axis=(1, 2)))
            for setting in settings:
                for place, method in enumerate(methods):
                    mask = answer(reference, (number + 2 * place) // (1 + settings.index(setting)))
                    file = f"masks/{name}_{organ}_{setting}_{method}.npz"
                    save_mask(folder / file, mask)
                    slices = [overlap(mask[z], reference[z]) for z in held]
                    places = np.linspace(0, 1, len(held))
                    sure = tuple(zip(np.clip(np.array(slices) + 0.1, 0, 1).tolist(), slices, strict=True))
                    rows.append(
                        make_row(
                            overlap(mask, reference),
                            case=name,
                            patient=case.patient,
                            organ=organ,
                            method=method,
                            setting=setting,
                            slices=len(held),
                            seconds=0.1 * (1 + place + number),
                            profile=tuple(zip(places.tolist(), slices, strict=True)),
                            confidence=sure if method == "engine" else (),
                            mask=file,
                            extra={"dice_common": overlap(mask, reference) - 0.01},
                        )
                    )
    return rows


@pytest.fixture
def row():
    return make_row


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """Two settings, three methods, five cases, and the report of them."""
    folder = tmp_path_factory.mktemp("report")
    cases = make_cases()
    rows = answered_rows(folder, cases)
    options = {
        "title": "A sample",
        "protocol_title": "Annotated slices within a volume",
        "explanation": "One slice is annotated.\n\nThe others are wanted.",
        "cases": cases,
        "methods": METHODS,
        "left_out": ["case 9 spleen: 2 slices are too few."],
        "missing": {"grow": "slicer-core is not installed."},
        "notes": ["Times are of a busy machine."],
    }
    return SimpleNamespace(folder=folder, cases=cases, rows=rows, options=options, files=write(folder, rows, **options))


@pytest.fixture
def report(tmp_path):
    """Writes a report of some rows into an empty folder."""

    def run(rows, **changes):
        options = {"title": "T", "protocol_title": "P", "explanation": "E", "methods": METHODS}
        return write(tmp_path / "out", rows, **(options | changes))

    return run
