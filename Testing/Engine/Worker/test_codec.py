"""Messages as lines."""

import json
from dataclasses import fields

import pytest

from FewShotSegmentLib.worker import codec
from FewShotSegmentLib.worker.codec import LineSplitter, from_line, id_of, to_line
from FewShotSegmentLib.worker.messages import (
    AnnotatedRef,
    Cancel,
    Done,
    Event,
    Finetune,
    Library,
    Progress,
    Propagate,
    ProtocolError,
    Request,
    SegmentRef,
    Transfer,
    VolumeRef,
)

LPS = [[1.0, 0.0, 0.0, 0.5], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
VOLUME = VolumeRef("k", "/tmp/größe 肝.npy", LPS, "ct", "Name\nof “it”")
SEGMENT = SegmentRef("s", "Leber", [4, 5], "m.npy", 0, [0.1, 0.2, 1.0], "a~b^c|", [4], [0, 9])
CASE = AnnotatedRef(VOLUME, [SEGMENT, SegmentRef("t", "", [], "", 2)], True)
FILLED = {
    "propagate": Propagate("1", VOLUME, [SEGMENT], "cuda:1", "mine"),
    "transfer": Transfer("1", VOLUME, "", "", "lib", ["a"], [CASE], "alpnet"),
    "library": Library("1", "add", case=CASE),
    "finetune": Finetune("1", [CASE, CASE], 2.5, 7),
    "progress": Progress("1", 1, 2, "x", 0.25),
    "done": Done("1", {"a": [1, 2.5, None, {"b": True}], "ö": "\n"}),
}


def kinds(base):
    found = []
    for kind in base.__subclasses__():
        found += [kind, *kinds(kind)]
    return found


MESSAGES = kinds(Request) + kinds(Event)


def line(**changes):
    content = json.loads(to_line(FILLED["progress"])) | changes
    return json.dumps({key: value for key, value in content.items() if value != "gone"}).encode()


def test_every_kind_has_a_name_of_its_own():
    assert len(MESSAGES) >= 15 and len({kind.kind for kind in MESSAGES}) == len(MESSAGES)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.kind)
def test_what_is_said_is_what_is_heard(kind):
    for message in [kind(), FILLED.get(kind.kind, kind("x"))]:
        data = to_line(message)
        assert data.endswith(b"\n") and data.count(b"\n") == 1
        heard = from_line(data)
        assert heard == message and type(heard) is kind
        for field in fields(kind):
            assert type(getattr(heard, field.name)) is type(getattr(message, field.name))


def test_tuples_and_whole_numbers_are_taken_where_lists_and_floats_belong():
    said = Propagate("1", VOLUME, (SegmentRef("s", "n", (1, 2), "f", 0, (1, 0, 0)),))
    assert from_line(to_line(said)).segments[0] == SegmentRef("s", "n", [1, 2], "f", 0, [1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"kind":"cancel","id":"","target":"a","target":"b"}', "not JSON"),
        (b'{"kind":"alive","id":"","idle_seconds":NaN}', "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"id":""}', "no message of the kind None"),
        (line(kind="nothing"), "no message of the kind 'nothing'"),
        (line(kind=["progress"]), "no message of the kind"),
        (line(total="gone"), "“total” is missing"),
        (line(phase="gone"), "“phase” is missing"),
        (line(more=1), "“more” is not known"),
        (line(done="1"), "“progress.done” is '1'"),
        (line(done=True), "progress.done"),
        (line(done=1.0), "progress.done"),
        (line(done=None), "progress.done"),
        (line(seconds_left="soon"), "progress.seconds_left"),
        (line(seconds_left=10**400), "progress.seconds_left"),
        (line(id=3), "progress.id"),
        (to_line(FILLED["propagate"]).replace(b"[4,5]", b'[4,"5"]'), r"segments\[0\].slices\[1\]"),
        (to_line(FILLED["propagate"]).replace(b'"modality":"ct",', b""), "“modality” is missing"),
        (to_line(FILLED["propagate"]).replace(b'"axis":0', b'"axis":0,"plane":1'), "“plane” is not known"),
        (to_line(FILLED["finetune"]).replace(b'"volume":{', b'"volume":"v","x":{', 1), "finetune.cases"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(data, text):
    with pytest.raises(ProtocolError, match=text):
        from_line(data)


def test_a_message_that_its_type_does_not_allow_is_not_sent():
    for wrong in [
        Cancel("1", 3),
        Propagate("1", VOLUME, "abc"),
        Done("1", {"a": {1, 2}}),
        Done("1", {"a": float("nan")}),
    ]:
        with pytest.raises(ProtocolError):
            to_line(wrong)
    for base in (Request("1"), Event("1")):
        with pytest.raises(ProtocolError, match="no message that can be sent"):
            to_line(base)


def test_a_line_may_not_be_too_long(monkeypatch):
    assert codec.MOST_BYTES == 64 * 2**20
    monkeypatch.setattr(codec, "MOST_BYTES", 1000)
    long = Done("1", {"text": "x" * 1000})
    with pytest.raises(ProtocolError, match="longer than"):
        to_line(long)
    with pytest.raises(ProtocolError, match="longer than"):
        from_line(b'{"kind":"done","id":"1","answer":{"a":"' + b"x" * 1000 + b'"}}')


def test_lines_come_out_whole_however_they_arrive():
    data = b"one\n\ntwo \xc3\xb6\nthree"
    for size in range(1, len(data) + 1):
        splitter = LineSplitter()
        found = [line for start in range(0, len(data), size) for line in splitter.feed(data[start : start + size])]
        assert found == [b"one", b"", "two ö".encode()]
    assert list(splitter.feed(b"!\n")) == [b"three!"]


def test_a_line_without_end_takes_no_memory():
    splitter = LineSplitter(most=10)
    for _ in range(100):
        assert not list(splitter.feed(b"x" * 1000))
    assert sum(len(part) for part in splitter._parts) == 11
    assert [len(line) for line in splitter.feed(b"\nshort\n")] == [11, 5]


def test_the_id_of_what_is_no_message_is_found_where_there_is_one():
    assert id_of(b'{"kind":"future","id":"7"}') == "7"
    assert id_of(b'{"id":7}') == id_of(b"[]") == id_of(b"nonsense") == ""
