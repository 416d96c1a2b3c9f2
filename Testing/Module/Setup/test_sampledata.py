"""Sample data: registered with checksum and thumbnail, fetched by nobody."""

from __future__ import annotations

import os
import struct
import sys
from types import ModuleType

import pytest
from FewShotSegmentModule.setup import bundled, sampledata


@pytest.fixture
def registered(monkeypatch):
    """What the stand-in of Slicer's SampleData was told."""
    sources = []

    class SampleDataLogic:
        @staticmethod
        def registerCustomSampleDataSource(**source):
            sources.append(source)

    module = ModuleType("SampleData")
    module.SampleDataLogic = SampleDataLogic
    monkeypatch.setitem(sys.modules, "SampleData", module)
    sampledata.registerSampleData()
    return sources


def test_each_sample_is_registered_with_its_checksum(registered):
    assert [source["sampleName"] for source in registered] == [sample.name for sample in sampledata.SAMPLES]
    for source in registered:
        algorithm, _, digest = source["checksums"].partition(":")
        assert algorithm == "SHA256" and len(bytes.fromhex(digest)) == 32
        assert source["category"] == "FewShotSegment"
        assert source["uris"].startswith("https://github.com/Slicer/") and source["uris"].endswith(digest)
        assert source["loadFileTypes"] == "VolumeFile" and source["nodeNames"] and source["fileNames"]


def test_thumbnails_are_there_and_square(registered):
    for source in registered:
        with open(source["thumbnailFileName"], "rb") as stream:
            header = stream.read(24)
        assert header.startswith(b"\x89PNG")
        assert struct.unpack(">II", header[16:24]) == (144, 144)
        assert os.path.getsize(source["thumbnailFileName"]) < 50_000


def test_the_cache_is_slicers(scene):
    path = sampledata.cachePath(sampledata.ABDOMEN)
    assert os.path.basename(path) == "Panoramix-cropped.nrrd"


def test_the_bundled_weights_are_named_without_an_engine():
    assert bundled.defaultName() == "propagator-v1"
