"""Sunnybrook Cardiac Data (SCD): short-axis cine MR with contours of the left ventricle, at end diastole and systole.

Contours are text files of “x y” in pixels, one for each image: IM-0001-0048-icontour-manual.txt (inner wall) and
-ocontour- (outer wall). Their first number is of no use (series were renumbered); the second one is the image's, which
ends its DICOM file's name. A pixel is inside where its centre is, and pixel centres are whole numbers from 0: half a
pixel less or more, which the data set does not tell, is within the accuracy of the drawing.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..case import Case, Mask, Scan
from .adapter import Adapter, files_below, natural
from .reading import compact
from .slices import Slice, along_normal, read_header, stack

ORGANS = {"LV cavity": 1, "myocardium": 2}
"""Most patients' outer wall is only drawn at end diastole: then there is no myocardium at end systole."""

_CONTOUR = re.compile(r"IM-\d+-(\d+)-([io])contour-manual\.txt$", re.IGNORECASE)
_IMAGE = re.compile(r"(.*?)(\d+)\.dcm$", re.IGNORECASE)
_PATIENT = re.compile(r"SC-[A-Z]+(?:-[A-Z]+)?-\d+$", re.IGNORECASE)

Contours = dict[str, dict[int, Path]]
"""{"i" or "o": {image number: file}}."""
Series = dict[int, Path]
"""{image number: DICOM file} of one series."""


def read(series: tuple[tuple[int, Path], ...], contours: tuple[tuple[str, int, Path], ...], phase: str) -> Scan:
    """Read one phase of a patient's short-axis images.

    The two phases with contours are told apart by their area: the larger one is end diastole.

    Args:
        series: (number, file) of all images of the short-axis series, all phases.
        contours: (wall, number of the image, file).
        phase: "ed" or "es".

    Raises:
        InputError: no such phase, slices that make no volume, or a damaged file.
    """
    files: Contours = {"i": {}, "o": {}}
    for wall, number, path in contours:
        files[wall][number] = path
    places = _places({number: read_header(path) for number, path in series})
    drawn = {number: _points(path) for number, path in files["i"].items()}
    wanted = _phases(places, drawn)[phase]
    chosen = [wanted[place] for place in sorted(wanted)]
    slices = [item for _, item in chosen]
    image, geometry = stack(slices)
    labels = np.zeros(image.shape, np.uint8)
    for index, (number, _) in enumerate(chosen):
        if number in drawn:
            inner = polygon_mask(drawn[number], image.shape[1:])
            # the ring needs both walls
            if number in files["o"]:
                labels[index][polygon_mask(_points(files["o"][number]), image.shape[1:])] = ORGANS["myocardium"]
            labels[index][inner] = ORGANS["LV cavity"]
    return Scan(image, compact(labels), geometry, "mr")


def polygon_mask(points: NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    """Pixels whose centres lie in a closed polygon.

    Args:
        points: [n, 2], (x, y) in pixels, 0 the centre of the first pixel.
        shape: (rows, columns).

    Raises:
        InputError: scikit-image is not installed.
    """
    try:
        from skimage.draw import polygon2mask  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError(
            "Contours need scikit-image, which is not installed; run pip install 'fewshotsegment[evaluate]'."
        ) from error
    return np.asarray(polygon2mask(shape, points[:, ::-1]), dtype=bool)


def _points(path: Path) -> NDArray[np.float64]:
    try:
        points = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a contour, lines of x and y; get the data set again.") from error
    if points.shape[1:] != (2,) or len(points) < 3:
        raise InputError(f"{path} holds no contour, at least three lines of x and y; get the data set again.")
    return points


def _places(headers: dict[int, Slice]) -> dict[int, tuple[int, int, Slice]]:
    """{number: (place along the normal counted from 0, phase counted from 0, header)}; phases share a place."""
    ordered = along_normal(list(headers.values()))
    normal = ordered[0].normal
    numbers = {item.path: number for number, item in headers.items()}
    place, last = -1, -np.inf
    groups: dict[int, list[int]] = defaultdict(list)
    for item in ordered:
        height = float(item.position @ normal)
        if height - last > 0.5:
            place += 1
            last = height
        groups[place].append(numbers[item.path])
    return {
        number: (place, phase, headers[number])
        for place, found in groups.items()
        for phase, number in enumerate(sorted(found))
    }


def _phases(
    places: dict[int, tuple[int, int, Slice]], drawn: dict[int, NDArray[np.float64]]
) -> dict[str, dict[int, tuple[int, Slice]]]:
    """{"ed" or "es": {place: (number, header)}}: at each place the image with a contour, else the one of that phase."""
    count = max(phase for _, phase, _ in places.values()) + 1
    usual = [phase for phase, _ in Counter(sorted(places[number][1] for number in drawn)).most_common(2)]
    if len(usual) < 2:
        raise InputError("Only one phase of the heart has contours, so end diastole and systole cannot be told apart.")
    chosen: list[dict[int, tuple[int, Slice]]] = [
        {place: (number, item) for number, (place, at, item) in places.items() if at == phase} for phase in usual
    ]
    areas: list[dict[int, float]] = [{}, {}]
    for number in sorted(drawn):
        place, phase, item = places[number]
        # the phases go round: the last one is next to the first
        off = [min((phase - own) % count, (own - phase) % count) for own in usual]
        nearer = int(off[1] < off[0])
        # a slice drawn one phase off still counts, but not in place of the one that is right
        if not off[nearer] or place not in areas[nearer]:
            chosen[nearer][place] = (number, item)
            areas[nearer][place] = _area(drawn[number])
    both = [place for place in areas[0] if place in areas[1]]
    total = [sum(area[place] for place in both) if both else max(area.values(), default=0.0) for area in areas]
    larger = int(total[1] > total[0])
    return {"ed": chosen[larger], "es": chosen[1 - larger]}


def _area(points: NDArray[np.float64]) -> float:
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """Two cases for each patient with contours and images, PATIENT_ed and PATIENT_es."""
    contours = _contours(folder)
    if not contours:
        raise ADAPTER.refuse(f"There is no file like IM-0001-0048-icontour-manual.txt in {folder}")
    series = _series(folder, _renamed(folder))
    if not series:
        raise ADAPTER.refuse(f"There is no DICOM file of a patient in {folder}")
    found = []
    for patient in sorted(contours, key=natural):
        if patient not in series:
            raise ADAPTER.refuse(f"There are contours of {patient} in {folder}, but no DICOM files of this patient")
        walls = tuple((w, number, path) for w, files in contours[patient].items() for number, path in files.items())
        images = tuple(_short_axis(series[patient], {number for _, number, _ in walls}, patient).items())
        for phase in ("ed", "es"):
            load = partial(read, images, walls, phase)
            found.append(Case("sunnybrook", f"{patient}_{phase}", patient, "mr", ORGANS, load))
    left_out = sorted(set(series) - set(contours), key=natural)
    if left_out:
        notes.append(f"sunnybrook: patients without contours left out ({', '.join(left_out)}).")
    return found


def _name(text: str) -> str:
    """“SC-HF-I-01” and “SC-HF-I-1” are one patient."""
    head, _, number = text.upper().rpartition("-")
    return f"{head}-{int(number)}"


def _contours(folder: Path) -> dict[str, Contours]:
    """{patient: contours} of all contour files."""
    found: dict[str, Contours] = {}
    for path in files_below(folder, "contour-manual.txt"):
        match = _CONTOUR.match(path.name)
        owner = next((p for p in reversed(path.relative_to(folder).parts[:-1]) if _PATIENT.match(p)), None)
        if match and owner:
            found.setdefault(_name(owner), {"i": {}, "o": {}})[match[2].lower()].setdefault(int(match[1]), path)
    return {patient: walls for patient, walls in found.items() if walls["i"]}


def _renamed(folder: Path) -> dict[str, str]:
    """{"SCD0000101": "SC-HF-I-1"} of scd_patientdata.csv; empty where there is none."""
    for path in files_below(folder, "patientdata.csv"):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows: list[dict[str, Any]] = list(csv.DictReader(file))
            return {r["PatientID"].strip(): _name(r["OriginalID"].strip()) for r in rows if r["PatientID"]}
        except (OSError, ValueError, KeyError, AttributeError, csv.Error) as error:
            raise InputError(f"{path} cannot be read; it should have the columns PatientID and OriginalID.") from error
    return {}


def _series(folder: Path, renamed: dict[str, str]) -> dict[str, list[Series]]:
    """{patient: series}; files of one series lie in one folder and differ in their last number only."""
    grouped: dict[str, dict[tuple[Path, str], Series]] = defaultdict(lambda: defaultdict(dict))
    for path in files_below(folder, ".dcm"):
        parts = path.relative_to(folder).parts[:-1]
        owners = (renamed.get(part) or (_name(part) if _PATIENT.match(part) else "") for part in reversed(parts))
        owner = next((one for one in owners if one), "")
        if owner and (match := _IMAGE.match(path.name)):
            grouped[owner][path.parent, match[1]][int(match[2])] = path
    return {patient: list(series.values()) for patient, series in grouped.items()}


def _short_axis(series: list[Series], numbers: set[int], patient: str) -> Series:
    """The series with an image for each contour; of several, the one that is called CINESAX."""
    fitting = [one for one in series if numbers <= set(one)]
    if len(fitting) > 1:
        fitting = [one for one in fitting if "SAX" in _called(one)]
    if len(fitting) != 1:
        what = "no DICOM series has" if not fitting else f"{len(fitting)} DICOM series have"
        raise ADAPTER.refuse(f"For {patient}, {what} images for all its contours and the name CINESAX")
    return fitting[0]


def _called(series: Series) -> str:
    path = series[min(series)]
    return f"{path.parent.name} {read_header(path).description}".upper()


ADAPTER = Adapter(
    "sunnybrook",
    "Sunnybrook Cardiac Data",
    "contours SCD_ManualContours/SC-HF-I-01/contours-manual/IRCCI-expert/IM-0001-0048-icontour-manual.txt "
    "and images SCD_IMAGES_01/SCD0000101/CINESAX_300/IM-0003-0048.dcm with scd_patientdata.csv, or images "
    "SC-HF-I-1/IM-0004-0048.dcm",
    "FOLDER is above contours and images. scd_patientdata.csv (columns PatientID, OriginalID) says whose contours "
    "belong to which images. Each patient is two cases, end diastole (_ed) and end systole (_es).",
    cases,
)
