"""Sample data of the tutorial: registered in Slicer's Sample Data module, and fetched on the user's click only."""

import os
from typing import NamedTuple

import slicer
from slicer.util import TESTING_DATA_URL

CATEGORY = "FewShotSegment"


class Sample(NamedTuple):
    """A published volume.

    name: that it is registered under.
    sha256: of the file, which Slicer's store is addressed by too.
    fileName: in the cache.
    nodeName: of the volume.
    megabytes: to download, about.
    thumbnail: file of Resources/Icons; drawn, not a picture of the data.
    """

    name: str
    sha256: str
    fileName: str
    nodeName: str
    megabytes: int
    thumbnail: str

    @property
    def uri(self):
        """Where it is."""
        return f"{TESTING_DATA_URL}SHA256/{self.sha256}"


ABDOMEN = Sample(
    name="FewShotSegmentAbdomen",
    # OsiriX library, for research and teaching only, as published with Slicer. Not Slicer's CTLiver: that is of a data
    # set which figures of this project are measured on
    sha256="146af87511520c500a3706b7b2bfb545f40d5d04dd180be3a7a2c6940e447433",
    fileName="Panoramix-cropped.nrrd",
    nodeName="Panoramix-cropped",
    megabytes=35,
    thumbnail="SampleAbdomen.png",
)
HEAD = Sample(
    name="FewShotSegmentHead",
    # donated to Slicer by the person in it, to be used without any restriction
    sha256="cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93",
    fileName="MR-head.nrrd",
    nodeName="MRHead",
    megabytes=4,
    thumbnail="SampleHead.png",
)
SAMPLES = (ABDOMEN, HEAD)


def registerSampleData():
    """Make the samples known to the Sample Data module; downloads nothing."""
    import SampleData

    for sample in SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=sample.name,
            thumbnailFileName=os.path.join(iconsFolder(), sample.thumbnail),
            uris=sample.uri,
            fileNames=sample.fileName,
            nodeNames=sample.nodeName,
            checksums=f"SHA256:{sample.sha256}",
            loadFileTypes="VolumeFile",
        )


def iconsFolder():
    """Folder with the thumbnails."""
    module = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(module, "Resources", "Icons")


def cachePath(sample):
    """Where the Sample Data module keeps the file."""
    folder = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()
    return os.path.join(folder, sample.fileName)


def load(sample):
    """Load a sample that lies in the cache.

    Returns:
        The volume node, or None if it cannot be read.
    """
    return slicer.util.loadVolume(cachePath(sample), properties={"name": sample.nodeName})
