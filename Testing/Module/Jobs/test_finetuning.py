"""Fine-tuning: what is learned from, the report, and keeping it or not."""

from __future__ import annotations

import job_cases
import numpy as np
import pytest
import scene_cases as cases
from FewShotSegmentModule.jobs.job import JobError
from FewShotSegmentModule.scene import review


def test_anchors_of_some_and_all_slices_of_completed_ones(logic, fake):
    volume = cases.volume()
    masks = {"Liver": job_cases.drawn(5, 7), "Spleen": cases.ellipsoid(), "Empty": None}
    segmentation = cases.segmentation(volume, masks)
    review.setStatus(segmentation, "Spleen", "completed")
    seen = {}
    original = fake.answers.answer

    def answer(request, folder):
        for case in request.cases:
            for segment in case.segments:
                seen[segment.key] = np.load(segment.file)
        return original(request, folder)

    fake.answers.answer = answer
    report = logic.finetune([(volume, segmentation, ["Liver", "Spleen"])], minutes=2)
    whole, some = sorted(fake.requests[-1].cases, key=lambda case: not case.complete)
    assert (whole.complete, some.complete) == (True, False)
    filled = np.flatnonzero(cases.ellipsoid().any(axis=(1, 2))).tolist()
    assert whole.segments[0].slices == filled and some.segments[0].slices == [5, 7]
    assert np.array_equal(seen["Spleen"], cases.ellipsoid()[filled])
    assert whole.volume == some.volume and fake.requests[-1].minutes == 2
    assert report["better"] and report["after"] > report["before"]


def test_completed_ones_by_default_else_all(logic, fake):
    volume = cases.volume()
    segmentation = cases.segmentation(volume, {"Liver": job_cases.drawn(5, 7), "Spleen": cases.ellipsoid()})
    logic.finetune([(volume, segmentation, None)])
    assert {segment.key for case in fake.requests[-1].cases for segment in case.segments} == {"Liver", "Spleen"}
    review.setStatus(segmentation, "Spleen", "completed")
    logic.finetune([(volume, segmentation, None)])
    assert {segment.key for case in fake.requests[-1].cases for segment in case.segments} == {"Spleen"}


def test_keep_and_roll_back(logic, fake):
    volume, segmentation = job_cases.case(5, 7)
    with pytest.raises(JobError, match="fine-tune first"):
        logic.keepWeights("mine")
    logic.finetune([(volume, segmentation, None)])
    assert logic.keepWeights("mine") == "mine"
    assert [entry["name"] for entry in logic.weightsList()] == ["propagator-fake", "mine"]
    assert logic.propagate(volume, segmentation, weights="mine").info["weightsName"] == "mine"
    logic.rollBackWeights()
    assert [entry["name"] for entry in logic.weightsList()] == ["propagator-fake"]


def test_nothing_to_learn_from(logic, fake):
    with pytest.raises(JobError, match="nothing|no annotated volume"):
        logic.finetune([])
    volume = cases.volume()
    with pytest.raises(JobError, match="Nothing is drawn"):
        logic.finetune([(volume, cases.segmentation(volume, {"Bare": None}), None)])
    assert not fake.requests
