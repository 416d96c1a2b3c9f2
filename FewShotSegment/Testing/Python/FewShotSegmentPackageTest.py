"""Run inside Slicer by ctest: the build has put the engine and its weights where Slicer finds them, unharmed."""

import hashlib
import importlib
import json
import os
import unittest

import slicer


class FewShotSegmentPackageTest(unittest.TestCase):
    """The packaged files, as Slicer sees them."""

    def setUp(self):
        """The folder of the module is the folder that everything is relative to."""
        self.folder = os.path.dirname(slicer.modules.fewshotsegment.path)

    def test_EngineIsTheOneBesideTheModule(self):
        """Not one that pip has put elsewhere."""
        version = importlib.import_module("FewShotSegmentLib.version")
        self.assertEqual(
            os.path.realpath(version.__file__),
            os.path.realpath(os.path.join(self.folder, "FewShotSegmentLib", "version.py")),
        )

    def test_WeightsAreWhatTheirManifestSays(self):
        """A file cut short on its way through the build would only show as an odd result."""
        weightsFolder = os.path.join(self.folder, "Resources", "weights")
        with open(os.path.join(weightsFolder, "weights.json"), encoding="utf-8") as stream:
            entries = json.load(stream)["weights"]
        self.assertTrue(entries)
        for entry in entries:
            with open(os.path.join(weightsFolder, entry["file"]), "rb") as stream:
                self.assertEqual(hashlib.sha256(stream.read()).hexdigest(), entry["sha256"], entry["file"])
