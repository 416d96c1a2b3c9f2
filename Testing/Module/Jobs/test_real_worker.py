"""With the worker's process and the bundled weights: the logic's example word for word, and what comes after it."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
import time
from types import SimpleNamespace

import headless_slicer as headless
import numpy as np
import pytest
import scene_cases as cases
import slicer
from FewShotSegmentModule.jobs.job import JobError
from FewShotSegmentModule.logic import FewShotSegmentLogic
from FewShotSegmentModule.scene import anchors, provenance
from FewShotSegmentModule.scene.segments import reader

from FewShotSegmentLib.phantom import make_phantom

SHAPE = (16, 56, 56)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(SHAPE, (10.0, 5.0, 5.0))


def label_of(phantom, name):
    found = next(label for label, own in phantom.names.items() if own.lower() == name)
    return (phantom.labels == found).astype(np.uint8)


def example() -> str:
    """The ten lines of the docstring."""
    lines = [line for line in inspect.getdoc(FewShotSegmentLogic).splitlines() if line.startswith("    ")]
    assert len(lines) == 10
    return textwrap.dedent("\n".join(lines))


def one_slice(mask):
    largest = int(mask.sum(axis=(1, 2)).argmax())
    drawn = np.zeros_like(mask)
    drawn[largest] = mask[largest]
    return drawn, largest


def test_the_example_of_the_docstring(scene, phantom, tmp_path, monkeypatch):
    liver = label_of(phantom, "liver")
    mask, _ = one_slice(liver)
    matrix = cases.affine(phantom.spacing[::-1], flip=(-1, -1, 1))
    headless.save(headless.add_volume(phantom.image, matrix, "CT"), tmp_path / "CT.nrrd")
    scene.Clear(False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "FewShotSegment", SimpleNamespace(FewShotSegmentLogic=FewShotSegmentLogic))
    exec(compile(example(), "example", "exec"), {"slicer": slicer, "mask": mask})

    scene.Clear(False)
    segmentation = headless.load_segmentation(tmp_path / "Liver.seg.nrrd")
    volume = headless.add_volume(phantom.image, matrix, "CT")
    (segment,) = headless.segments(segmentation)
    segment_id = segmentation.GetSegmentation().GetSegmentIdBySegment(segment)
    found = cases.whole(reader.readMask(segmentation, segment_id, volume), SHAPE)
    assert segment.GetName() == "Liver"
    assert cases.dice(found, liver) > 0.6
    entry = provenance.read(segmentation, segment_id)
    assert entry["weights"]["sha256"] and entry["settings"]["modality"] == "ct"
    assert "torch" not in vars(sys.modules["FewShotSegmentModule.logic"])


def test_correct_transfer_and_library(scene, phantom, tmp_path):
    """One worker for all of it: it is slow to start."""
    liver = label_of(phantom, "liver")
    mask, largest = one_slice(liver)
    matrix = cases.affine(phantom.spacing[::-1], flip=(-1, -1, 1))
    volume = headless.add_volume(phantom.image, matrix, "CT")
    segmentation = cases.segmentation(volume, {"Liver": mask})
    logic = FewShotSegmentLogic()
    try:
        logic.accept(logic.propagate(volume, segmentation, device="cpu"))
        first = cases.whole(reader.readMask(segmentation, "Liver", volume), SHAPE)
        index = int(np.flatnonzero(liver.any(axis=(1, 2)))[-1])
        assert index > largest
        edited = first.copy()
        edited[index] = liver[index]
        cases.draw(segmentation, volume, "Liver", edited)
        proposal = logic.propagate(volume, segmentation, device="cpu", correct=True)
        logic.accept(proposal)
        after = cases.whole(reader.readMask(segmentation, "Liver", volume), SHAPE)
        renewed = proposal.results["Liver"].renewed
        kept = [i for i in range(SHAPE[0]) if not any(a <= i <= b for a, b in renewed)]
        assert kept and np.array_equal(after[kept], edited[kept])
        assert np.array_equal(after[index], liver[index]) and np.array_equal(after[largest], mask[largest])
        assert anchors.anchorsOf(segmentation, "Liver", volume).entries == {largest: "hand", index: "corrected"}

        library = str(tmp_path / "library.fsslib")
        (entry,) = logic.addToLibrary(volume, segmentation, library=library)
        (listed,) = logic.libraryEntries(library)
        assert (listed["id"], listed["name"], listed["slices"]) == (entry, "Liver", 2)
        assert np.load(listed["thumbnail"]).ndim == 3
        other = make_phantom(SHAPE, phantom.spacing, seed=3)
        query = headless.add_volume(other.image, matrix, "Other")
        result = logic.transfer(query, entries=[entry], library=library, device="cpu")
        if result is not None:  # how well it is found is the engine's concern
            assert result.GetName() == "Other – Liver"
            found = result.GetSegmentation().GetNthSegmentID(0)
            assert provenance.read(result, found)["settings"]["entries"] == [entry]
        with pytest.raises(JobError, match="exists already"):
            logic.exportLibrary(library, library=library)
        assert logic.weightsList()[0]["bundled"]
        pid = logic.client.worker_info.pid
    finally:
        logic.close()
    assert ends(pid)


def ends(pid, seconds=20.0):
    """Whether a process is gone, or goes within some seconds: one that was killed needs a moment."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.02)
    return False
