"""The confidence that is kept with a segment."""

from __future__ import annotations

import numpy as np
import pytest
import scene_cases as cases
from FewShotSegmentModule.scene import confidence, provenance

from FewShotSegmentLib.worker import tags

LENGTH = cases.SHAPE[0]


@pytest.fixture
def segmentation(scene):
    return cases.segmentation(cases.volume(), {"Liver": cases.ellipsoid()})


def test_the_engine_writes_into_files_what_the_module_reads(scene):
    volume = cases.volume()
    node = cases.segmentation(volume, {"Liver": cases.ellipsoid()})
    answer = {"engine_version": "1.2", "weights": {"name": "a|b", "sha256": "c"}, "device": "cpu"}
    settings = {"kind": "transfer", "entries": ["x"]}
    written = tags.provenance_tag(answer, 2, [7, 3], settings) | tags.confidence_tag(2, [0.12345, 1])
    assert not any("|" in text for text in written.values())
    segment = node.GetSegmentation().GetSegment("Liver")
    for name, text in written.items():
        segment.SetTag(name, text)
    entry = provenance.read(node, "Liver")
    axis, values = confidence.read(node, "Liver")
    assert axis == 2 and np.allclose(values, [0.123, 1])
    ours = provenance.record(
        node, "Liver", engineVersion="1.2", weights=answer["weights"], axis=2, anchors={3: "found", 7: "found"},
        settings=settings, device="cpu", date=entry["date"],
    )  # fmt: skip
    assert entry == ours
    assert list(written) == [provenance.TAG, confidence.TAG]


def test_written_and_read(segmentation):
    values = np.linspace(0, 1, LENGTH)
    confidence.write(segmentation, "Liver", 1, values)
    axis, found = confidence.read(segmentation, "Liver")
    assert axis == 1 and found.dtype == np.float32 and np.allclose(found, values, atol=1e-3)
    confidence.remove(segmentation, "Liver")
    assert confidence.read(segmentation, "Liver") is None


def test_only_renewed_slices_are_news(segmentation):
    confidence.write(segmentation, "Liver", 0, np.full(LENGTH, 0.5), renewed=[[2, 4]], anchors=[3])
    _, found = confidence.read(segmentation, "Liver")
    assert np.isnan(found[[0, 1, 5]]).all() and found[2:5].tolist() == [0.5, 1, 0.5]
    confidence.write(segmentation, "Liver", 0, np.full(LENGTH, 0.25), renewed=[[4, 5]], anchors=[3, 99])
    _, found = confidence.read(segmentation, "Liver")
    assert found[2:6].tolist() == [0.5, 1, 0.25, 0.25]
    confidence.write(segmentation, "Liver", 2, np.full(cases.SHAPE[2], 0.75), renewed=[[0, 0]])
    axis, found = confidence.read(segmentation, "Liver")
    assert axis == 2 and np.isnan(found[1:]).all()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"axis": 0}', '{"axis": 5, "values": [1]}', '{"axis": 0, "values": []}']
)
def test_what_is_in_a_file_is_not_trusted(segmentation, text):
    segmentation.GetSegmentation().GetSegment("Liver").SetTag(confidence.TAG, text)
    assert confidence.read(segmentation, "Liver") is None
    assert confidence.read(segmentation, "Nothing") is None
