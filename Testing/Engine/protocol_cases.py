"""What the tests of the evaluation's protocols share: tiny scans, and methods whose answers are known."""

from functools import partial

import numpy as np

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation.case import Case, Scan
from FewShotSegmentLib.evaluation.method import Answer
from FewShotSegmentLib.images import Geometry

ORGANS = {"liver": 1, "right kidney": 2, "left kidney": 3, "spleen": 4}
SPACING = (4.0, 1.0, 2.0)


def labels_of(first=2, last=9, shape=(12, 20, 24)):
    """Liver on slices first to last, a right and a left kidney on slices 3 to 8 (but for `last`), no spleen."""
    labels = np.zeros(shape, np.uint8)
    labels[first : last + 1, 2:10, 2:10] = 1
    labels[3:9, 12:17, 2:7] = 2
    labels[3:9, 12:17, 16:21] = 3
    return labels


def make_scan(labels=None, modality="mr", seed=0, dtype=np.int16):
    labels = labels_of() if labels is None else labels
    image = 100.0 + 100 * labels + np.random.default_rng(seed).normal(0, 5, labels.shape)
    z, y, x = SPACING
    matrix = np.array([[x, 0, 0, -10], [0, y, 0, 20], [0, 0, z, 30], [0, 0, 0, 1.0]])
    return Scan(image.astype(dtype), labels, Geometry(labels.shape, matrix), modality)


def make_case(name, patient=None, scan=None, organs=ORGANS, group="", dataset="toy", modality="mr"):
    load = partial(_same, make_scan(modality=modality) if scan is None else scan)
    return Case(dataset, name, patient or name, modality, organs, load, group)


def make_cases(count, **details):
    return [make_case(f"scan{number:02}", **details) for number in range(count)]


def _same(scan):
    return scan


class Method:
    """Keeps what it was asked, and answers with what `answer(shape, anchors)` says."""

    title = note = ""
    parameters = 7
    tasks = ("within", "across")

    def __init__(self, answer, name="stub", proposals=(), confidence=None):
        self.name = name
        self.asked = []
        self.read_asked = []
        self.answer = answer
        self.proposals = list(proposals)
        self.confidence = confidence

    def _says(self, shape, anchors):
        mask = self.answer(shape, anchors)
        return Answer(mask, None if self.confidence is None else np.full(shape[0], self.confidence))

    def within(self, question):
        self.asked.append(question)
        return self._says(question.volume.image.shape, question.anchors)

    def across(self, question):
        self.asked.append(question)
        return self._says(question.query.image.shape, question.anchors)

    def read(self, volume):
        return _Reading(self, volume)


class _Reading:
    def __init__(self, method, volume):
        self.method, self.volume = method, volume
        self.left = list(method.proposals)

    def annotate(self, anchors, changed):
        self.method.read_asked.append((self.volume, anchors, changed))
        return self.method._says(self.volume.image.shape, anchors)

    def propose(self):
        return self.left.pop(0) if self.left else None


def empty(shape, anchors):
    return np.zeros(shape, bool)


def copied(shape, anchors):
    """Each annotated slice where it is, nothing else."""
    mask = np.zeros(shape, bool)
    for index, plane in anchors.items():
        mask[index] = plane
    return mask


def repeated(shape, anchors):
    """The first annotated slice on all slices."""
    return np.repeat(next(iter(anchors.values()))[None], shape[0], axis=0)


def perfect(reference):
    return lambda shape, anchors: reference.copy()


def refuses(shape, anchors):
    raise InputError("There is too little contrast.")


def measured(protocol, cases, method, left_out=None):
    """All that a protocol measures of some cases with one method."""
    works = protocol.work(cases, [method.name], [] if left_out is None else left_out)
    found = []
    for work in works:
        support = None if work.support is None else work.support.read()
        found += protocol.measure(work, work.query.read(), support, method)
    return found
