"""The fake worker that tests of the panels use: it must behave as the real one does."""

from pathlib import Path

import fake_worker
import numpy as np
import pytest
from small_cases import make_organ
from worker_cases import Clock, Files, whole

from FewShotSegmentLib.worker.client import WorkerClient
from FewShotSegmentLib.worker.messages import (
    Devices,
    Finetune,
    FinetuneKeep,
    Forget,
    Library,
    Propagate,
    Transfer,
    Weights,
)


@pytest.fixture
def fake():
    return fake_worker.FakeWorker()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(fake, clock):
    made = WorkerClient(fake.make_transport, ["fake"], clock=clock)
    yield made
    made.close()


@pytest.fixture
def ask(client, fake):
    def ask(request):
        ticket = client.submit(request)
        for _ in range(50):
            client.tick()
        return ticket

    return ask


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_progress_comes_message_by_message(client, fake, files):
    organ = make_organ((30, 40, 44))
    request = Propagate("", files.volume(organ.image), [files.segment(organ.mask, 14)])
    heard = []
    ticket = client.submit(request, on_progress=heard.append)
    for count in range(fake.behaviour.steps + 2):
        client.tick()
        assert len(heard) == count
    client.tick()
    (segment,) = ticket.answer["segments"]
    mask = whole(segment, organ.image.shape)
    np.testing.assert_array_equal(mask[14], organ.mask[14])
    areas = mask.sum(axis=(1, 2))
    assert (areas > 0).nonzero()[0].tolist() == list(range(6, 23)) and areas[14] > areas[18] > areas[22]
    assert segment["confidence"][14] == 1 > segment["confidence"][18] > segment["confidence"][22]
    assert segment["renewed"] == [[0, 29]] and segment["anchors"] == [14]


def test_ranges_corrections_and_other_axes(ask, files):
    organ = make_organ((30, 40, 44))
    volume = files.volume(organ.image)
    segments = [
        files.segment(organ.mask, 14, key="a", range=[12, 15]),
        files.segment(organ.mask, 10, 14, 20, key="b", around=[14]),
        files.segment(organ.mask, 22, key="c", axis=2),
    ]
    a, b, c = ask(Propagate("", volume, segments)).answer["segments"]
    mask = whole(a, organ.image.shape)
    assert mask.any(axis=(1, 2)).nonzero()[0].tolist() == [12, 13, 14, 15]
    assert b["renewed"] == [[11, 19]] and whole(b, organ.image.shape).any(axis=(1, 2)).nonzero()[0].tolist() == list(
        range(11, 20)
    )
    assert len(c["confidence"]) == 44 and c["axis"] == 2


def test_cancel_fail_crash_and_hang(client, ask, fake, clock):
    ticket = client.submit(Forget())
    client.tick()
    client.tick()
    client.cancel(ticket)
    client.tick()
    assert ticket.state == "cancelled" and ask(Forget()).state == "done"
    fake.behaviour.crash_after = 2
    crashed = ask(Forget())
    assert (
        crashed.failure.kind == "crashed" and crashed.progress.done == 1 and "told to crash" in crashed.failure.detail
    )
    assert ask(Forget()).state == "done" and len(fake.transports) == 2
    fake.behaviour.fail = "Draw it on at least one slice."
    assert ask(Forget()).failure == ("Draw it on at least one slice.", "", "request")
    fake.behaviour.fail = ""
    fake.behaviour.hang_after = 1
    hanging = client.submit(Forget())
    for _ in range(40):
        clock.now += 1
        client.tick()
    assert hanging.failure.kind == "hung" and fake.transports[1].killed
    fake.behaviour.hang_after = 1
    stubborn = ask(Forget())
    client.cancel(stubborn)
    clock.now += 6
    client.tick()
    assert stubborn.state == "cancelled" and ask(Forget()).state == "done"
    fake.behaviour.missing_torch = True
    assert "not installed" in ask(Devices()).failure.sentence and ask(Library()).state == "done"


def test_what_cannot_be_started(ask, fake):
    fake.behaviour.not_started = True
    assert ask(Forget()).failure.kind == "not started"
    fake.behaviour = fake_worker.Behaviour(protocol=99)
    assert "another version" in ask(Forget()).failure.sentence
    fake.behaviour = fake_worker.Behaviour(slow=3)
    assert ask(Forget()).state == "done"


def test_canned_answers_have_the_real_ones_names(ask, files, tmp_path):
    case = files.case(5, 7)
    (key,) = ask(Library(action="add", case=case)).answer["added"]
    (entry,) = ask(Library()).answer["entries"]
    assert {*entry} == {"id", "name", "color", "modality", "slices", "added", "terminology", "thumbnail"}
    assert np.load(entry["thumbnail"]).shape == (96, 128, 3)
    found = ask(Transfer("", case.volume, entries=[key], supports=[files.case(5, seed=1)])).answer
    assert [s["key"] for s in found["segments"]] == ["k1", key] == [s["key"] for s in found["structures"]]
    assert whole(found["segments"][0], (14, 48, 56)).any()
    output = tmp_path / "out.seg.nrrd"
    assert ask(Transfer("", None, "a.nii.gz", str(output), entries=[key])).state == "done" and output.exists()
    assert ask(Transfer("", None, "a.nii.gz", str(output), entries=[key])).state == "failed"
    assert ask(Library(action="remove", entries=[key])).answer["entries"] == []
    assert ask(Library(action="remove", entries=[key])).state == "failed"

    assert ask(FinetuneKeep(name="mine")).state == "failed"
    assert ask(Finetune("", [case])).answer["better"]
    assert ask(FinetuneKeep(name="mine")).answer["name"] == "mine"
    assert [w["name"] for w in ask(Weights()).answer["weights"]][1:] == ["mine"]
    ask(FinetuneKeep())
    assert len(ask(Weights()).answer["weights"]) == 1
    assert ask(Devices()).answer["auto"] == "cuda"
    assert Path(fake_worker.__file__).parent.name == "Testing"
