"""The module SampleData: sources are registered as Slicer does, nothing is downloaded."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import slicer


class SampleDataLogic:
    """Sources by category in slicer.modules.sampleDataSources."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
        loadFileTypes=None,
    ):
        given = {name: value for name, value in locals().items() if name != "category"}
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        sources[:] = [source for source in sources if source.sampleName != sampleName]
        sources.append(SimpleNamespace(**given))

    @classmethod
    def sourceForSampleName(cls, sampleName):
        every = [source for sources in slicer.modules.sampleDataSources.values() for source in sources]
        return next((source for source in every if source.sampleName == sampleName), None)

    def downloadSamples(self, sampleName):
        raise RuntimeError(f"nothing is downloaded in tests: {sampleName}")

    downloadSample = downloadFromURL = downloadSamples


def install() -> None:
    slicer.modules.sampleDataSources = {}
    module = ModuleType("SampleData")
    module.SampleDataLogic = SampleDataLogic
    module.downloadSample = module.downloadSamples = SampleDataLogic().downloadSamples
    sys.modules["SampleData"] = module
