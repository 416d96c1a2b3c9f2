"""A download is there whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import io
import threading
import urllib.error
from email.message import Message

import pytest
from FewShotSegmentModule.setup import download as module
from FewShotSegmentModule.setup.download import Download

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Stream(io.BytesIO):
    """What urlopen returns."""

    def __init__(self, content, gate=None):
        super().__init__(content)
        self.headers = Message()
        self.headers["Content-Length"] = str(len(content))
        self.gate = gate

    def read(self, size=-1):
        if self.gate is not None and self.tell():
            assert self.gate.wait(30)
        return super().read(size)


@pytest.fixture
def internet(monkeypatch):
    """Addresses and what they answer."""
    answers = {}

    def urlopen(address, timeout):
        answer = answers[address]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module.urllib.request, "urlopen", urlopen)
    return answers


def finish(download):
    while not download.poll():
        pass


def test_the_file_comes_whole(internet, tmp_path):
    internet["there"] = Stream(CONTENT)
    path = tmp_path / "cache" / "volume.nrrd"
    download = Download("there", str(path), SHA256)
    download.start()
    finish(download)
    assert download.succeeded and not download.error
    assert (download.done, download.total) == (len(CONTENT), len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["volume.nrrd"]


def test_what_is_there_is_not_fetched_again(internet, tmp_path):
    path = tmp_path / "volume.nrrd"
    path.write_bytes(CONTENT)
    download = Download("nowhere", str(path), SHA256)
    download.start()
    finish(download)
    assert download.succeeded


def test_a_wrong_file_in_the_cache_is_replaced(internet, tmp_path):
    internet["there"] = Stream(CONTENT)
    path = tmp_path / "volume.nrrd"
    path.write_bytes(b"half")
    download = Download("there", str(path), SHA256)
    download.start()
    finish(download)
    assert download.succeeded and path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "words"),
    [(Stream(b"something else"), "not the one that was published"), (urllib.error.URLError("none"), "internet")],
)
def test_failures_leave_nothing(internet, tmp_path, caplog, answer, words):
    internet["there"] = answer
    path = tmp_path / "volume.nrrd"
    download = Download("there", str(path), SHA256)
    download.start()
    finish(download)
    assert not download.succeeded and not download.cancelled
    assert words in download.error and "Traceback" not in download.error
    assert not list(tmp_path.iterdir())
    assert caplog.records[-1].exc_info


def test_cancel_leaves_nothing(internet, tmp_path):
    gate = threading.Event()
    internet["there"] = Stream(CONTENT, gate)
    download = Download("there", str(tmp_path / "volume.nrrd"), SHA256)
    download.start()
    while not download.done:
        assert not download.poll()
    download.cancel()
    gate.set()
    finish(download)
    assert download.cancelled and not download.succeeded and not download.error
    assert not list(tmp_path.iterdir())
