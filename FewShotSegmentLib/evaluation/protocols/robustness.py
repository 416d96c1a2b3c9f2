"""(e) One annotated slice in scans made worse, and one annotated worse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..case import Case, Mask, Scan
from ..method import Answer, Method, Volume, Within
from ..protocol import Measured, Work
from .asked import Asked, asked
from .careless import POOR
from .disturb import CROPS, IMAGES, crop, crop_box
from .options import Options
from .scoring import Question
from .supports import MIN_SLICES, annotated, middle_slice, organ_slices, volume_ends
from .works import generator, within_work

UNDISTURBED = "undisturbed"


class Robustness:
    """The middle slice annotated, under disturbances."""

    name = "robustness"
    title = "Robustness"
    task = "within"

    def __init__(self, options: Options):
        self.options = options
        self.explanation = (
            "The organ's middle slice is annotated, as in the protocol within a volume, and the scan or the annotation "
            f"is made worse ({', '.join(options.disturbances)}); “{UNDISTURBED}” is what to compare with. Noise is "
            "Gaussian in CT and Rician in MR, its standard deviation a share of the soft-tissue range (−160 to 240 HU "
            "in CT, the 1st to 99th percentile in MR), which gamma and contrast change too. A bias field of 20 % runs "
            "from 0.8 to 1.2; CT has none. References stay as they are; with thicker slices they are averaged as the "
            "image is. on_twin is the share of the answer that lies on the organ of the other side."
        )

    def work(self, cases: Sequence[Case], methods: Iterable[str], left_out: list[str]) -> list[Work]:
        """See `Protocol`; which organs are too short only shows in the scans, see `set_aside`."""
        count = sum(case.modality == "ct" for case in cases)
        if "bias field" in self.options.disturbances and count:
            left_out.append(f"Bias field: skipped in {count} of {len(cases)} scans, which are CT and have none.")
        return within_work(self.name, cases, methods, self.options)

    def measure(self, work: Work, query: Scan, support: Scan | None, method: Method) -> Iterator[Measured]:
        """See `Protocol`; no masks are kept of scans with thicker slices, which do not fit the case's files."""
        kinds = self.options.disturbances
        asks = []
        for organ in self.options.of(work.query.organs):
            question = Question(work, method, organ, self.options.tolerance_mm)
            reference = work.query.mask(query, organ)
            slices = organ_slices(reference)
            if len(slices) < MIN_SLICES:
                yield Measured(question.too_thin(len(slices)))
            else:
                twin = twin_of(organ, work.query.organs) if "twins" in kinds else None
                asks.append(_Ask(question, twin))
        # a scan's organs one after the other, so that a method which keeps what it computed of a scan can use it
        if not asks:
            return
        volume = Volume.of(query)
        for ask in asks:
            yield ask.put(UNDISTURBED, query, volume)
        for ask in asks if "support" in kinds else ():
            yield from ask.carelessly(query, volume)
        for kind in kinds:
            if kind in IMAGES and (kind != "bias field" or query.modality != "ct"):
                for setting, change in IMAGES[kind]:
                    worse = change(query, generator(work, setting))
                    volume = Volume.of(worse)
                    for ask in asks:
                        yield ask.put(setting, worse, volume, keep=kind != "thickness")
        for ask in asks if "cropping" in kinds else ():
            for setting, margin in CROPS:
                yield ask.cropped(setting, query, margin)


@dataclass(frozen=True)
class _Ask:
    """Asks for one organ.

    Attributes:
        question: about it.
        twin: name of the other side's organ, where there is one.
    """

    question: Question
    twin: str | None

    def put(self, setting: str, scan: Scan, volume: Volume, *, keep: bool = True) -> Measured:
        """Annotate the middle slice of a scan."""
        reference = self._mask(scan, self.question.organ)
        slices = organ_slices(reference)
        if len(slices) < MIN_SLICES:
            why = f"{self.question.title}: too few slices hold it with {setting}."
            return Measured(self.question.leave_out(setting, len(slices), why))
        index = middle_slice(slices)
        ask = Within(volume, annotated(reference, [index]), None, volume_ends(reference))
        answer = asked(partial(self.question.method.within, ask), reference.shape)
        return self._score(setting, answer, scan, index, keep=keep)

    def carelessly(self, scan: Scan, volume: Volume) -> Iterator[Measured]:
        """Annotate the middle slice badly, in every way; scored by the reference as it is."""
        reference = self._mask(scan, self.question.organ)
        slices = organ_slices(reference)
        index = middle_slice(slices)
        for setting, draw in POOR:
            drawn = draw(reference[index].copy(), generator(self.question.work, self.question.organ, setting))
            if not drawn.any():
                why = f"{self.question.title}: nothing is left of the annotation with {setting}."
                yield Measured(self.question.leave_out(setting, len(slices), why))
                continue
            ask = Within(volume, {index: drawn}, None, volume_ends(reference))
            answer = asked(partial(self.question.method.within, ask), reference.shape)
            yield self._score(setting, answer, scan, index)

    def cropped(self, setting: str, scan: Scan, margin_mm: float) -> Measured:
        """Show the surroundings of the organ only; scored in the whole scan."""
        reference = self._mask(scan, self.question.organ)
        box = crop_box(reference, scan.spacing, margin_mm)
        part = crop(scan, box)
        shown = reference[box]
        index = middle_slice(organ_slices(shown))
        ask = Within(Volume.of(part), annotated(shown, [index]), None, volume_ends(shown))
        answer = asked(partial(self.question.method.within, ask), shown.shape)
        return self._score(setting, _placed(answer, box, reference.shape), scan, box[0].start + index)

    def _mask(self, scan: Scan, organ: str) -> Mask:
        return self.question.work.query.mask(scan, organ)

    def _score(self, setting: str, answer: Asked, scan: Scan, index: int, *, keep: bool = True) -> Measured:
        reference = self._mask(scan, self.question.organ)
        mask = answer.answer.mask
        extra = {"on_twin": on_twin(mask, self._mask(scan, self.twin), [index])} if self.twin else {}
        row = self.question.score(
            answer, reference, scan.spacing, setting=setting, given=(index,), not_scored=(index,), extra=extra
        )
        return Measured(row, mask if keep else None)


def twin_of(organ: str, organs: Iterable[str]) -> str | None:
    """The organ of the other side: "left kidney" for "right kidney"; None if there is none."""
    words = organ.casefold().split()
    other = " ".join({"left": "right", "right": "left"}.get(word, word) for word in words)
    if other == " ".join(words):
        return None
    return next((name for name in organs if " ".join(name.casefold().split()) == other), None)


def on_twin(mask: Mask, twin: Mask, given: Collection[int]) -> float | None:
    """Share of an answer that lies on the twin, annotated slices left out; None where the answer is empty."""
    found = mask.copy()
    found[list(given)] = False
    size = np.count_nonzero(found)
    return np.count_nonzero(found & twin) / size if size else None


def _placed(asked: Asked, box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> Asked:
    """An answer about a part of a scan, as one about the scan; nothing was found outside."""
    mask = np.zeros(shape, bool)
    mask[box] = asked.answer.mask
    confidence = None
    if asked.answer.confidence is not None:
        confidence = np.zeros(shape[0])
        confidence[box[0]] = asked.answer.confidence
    return replace(asked, answer=Answer(mask, confidence, asked.answer.note))
