"""Tests that run inside Slicer: "Reload and Test" in developer mode, and ctest in a Slicer build.

They need only what is installed: the volume is made here, and the engine is the real one, in its own process. Where the
set-up has not been done yet, the tests that compute check that this is said, and are then reported as skipped. The
scene is cleared; no setting, library or weights of the user are touched.
"""

import io
import logging
import os
import sys
import unittest

import numpy as np
import slicer

from . import logic as moduleLogic
from .jobs.job import JobError
from .scene import anchors, annotation, commit, provenance
from .setup import dependencies

SHAPE = (14, 64, 64)
SLICE = 6
"""The one that is annotated."""

FLOOR = 0.9
"""Dice that the engine must reach on the volume made here; it has 0.99."""


# --- a volume with an organ ---


def makeVolume():
    """A volume node with a bright organ in a body, and the organ as a bool array [z, y, x]."""
    z, y, x = np.indices(SHAPE)
    organ = ((z - 6) / 5) ** 2 + ((y - 30) / 10) ** 2 + ((x - 26) / 12) ** 2 < 1
    body = ((y - 32) / 28) ** 2 + ((x - 32) / 30) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 12, SHAPE)
    voxels = (np.where(body, 40, -1000) + np.where(organ, 80, 0) + noise).astype(np.int16)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "FewShotSegment self test")
    # to the left and to the back, as CT comes
    node.SetIJKToRASDirections([[-1, 0, 0], [0, -1, 0], [0, 0, 1]])
    node.SetSpacing(1.5, 1.5, 3.0)
    slicer.util.updateVolumeFromArray(node, voxels)
    node.CreateDefaultDisplayNodes()
    return node, organ


def makeSegmentation(volumeNode, masks):
    """A segmentation node with a segment for each mask, and their IDs."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "FewShotSegment self test segmentation")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    ids = []
    for name, mask in masks.items():
        ids.append(node.GetSegmentation().AddEmptySegment("", name))
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, ids[-1], volumeNode)
    return node, ids


def readSegment(segmentationNode, segmentId, volumeNode):
    """The segment as a bool array of the volume's shape."""
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0


def dice(one, other):
    """Dice coefficient of two bool arrays."""
    return 2 * np.count_nonzero(one & other) / max(np.count_nonzero(one) + np.count_nonzero(other), 1)


class SelfTestCase(unittest.TestCase):
    """An empty scene before and after."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()
        self.addCleanup(slicer.mrmlScene.Clear)

    def annotate(self, *slices):
        """A volume with an organ that is drawn on some slices, beside another segment that is to stay as it is."""
        self.volumeNode, self.organ = makeVolume()
        drawn = np.zeros(SHAPE, bool)
        drawn[list(slices)] = self.organ[list(slices)]
        self.other = np.zeros(SHAPE, bool)
        self.other[SLICE, 5:12, 28:36] = True
        self.segmentationNode, (self.segmentId, self.otherId) = makeSegmentation(
            self.volumeNode, {"organ": drawn, "other": self.other}
        )

    def read(self, segmentId=None):
        """The organ's segment, or another one, as it is now."""
        return readSegment(self.segmentationNode, segmentId or self.segmentId, self.volumeNode)


# --- the scripting interface ---


class LogicSelfTest(SelfTestCase):
    """Annotate, propagate, accept, undo, correct; by script, with the real engine."""

    @classmethod
    def setUpClass(cls):
        """A logic with an engine process of its own, for all of the tests: it takes seconds to start."""
        super().setUpClass()
        cls.logic = moduleLogic.FewShotSegmentLogic()
        cls.addClassCleanup(cls.logic.close)

    def propagate(self, **options):
        """A proposal for the organ; where the engine cannot run, see that this is said, and skip."""
        arguments = (self.volumeNode, self.segmentationNode, [self.segmentId])
        missing = [package.name for package in dependencies.missingPackages()]
        if missing:
            before = self.read()
            with self.assertRaises(JobError) as failure:
                self.logic.propagate(*arguments, device="cpu", **options)
            self.assertTrue(str(failure.exception).strip())
            self.assertNotIn("Traceback", str(failure.exception))
            np.testing.assert_array_equal(self.read(), before)
            self.skipTest(f"set-up not done, missing: {', '.join(missing)}; the failure was said")
        return self.logic.propagate(*arguments, device="cpu", **options)

    def test_PropagatePreviewAcceptUndo(self):
        """A proposal changes nothing; accepting it is one step of undo, and leaves other segments alone."""
        self.annotate(SLICE)
        before = self.read()
        proposal = self.propagate()
        np.testing.assert_array_equal(self.read(), before)

        nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        proposal.showPreview(opacity=0.5)
        self.assertFalse(proposal.preview.node.GetSaveWithScene())
        self.assertFalse(proposal.preview.node.GetDisplayNode().GetSaveWithScene())
        proposal.hidePreview()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), nodes)

        editor = commit.LogicEditor(self.segmentationNode, self.volumeNode)
        self.logic.accept(proposal, editor)
        accepted = self.read()
        self.assertGreater(dice(accepted, self.organ), FLOOR)
        np.testing.assert_array_equal(accepted[SLICE], self.organ[SLICE])
        np.testing.assert_array_equal(self.read(self.otherId), self.other)

        editor.undo()
        np.testing.assert_array_equal(self.read(), before)
        np.testing.assert_array_equal(self.read(self.otherId), self.other)
        editor.redo()
        np.testing.assert_array_equal(self.read(), accepted)

    def test_CorrectedSliceIsKept(self):
        """A slice that was edited becomes an anchor; slices beyond the next anchors stay as they are.

        The segment says what it was computed with.
        """
        self.annotate(4, SLICE)
        self.logic.accept(self.propagate(), commit.LogicEditor(self.segmentationNode, self.volumeNode))
        self.assertEqual(anchors.editedSlices(self.segmentationNode, self.segmentId, self.volumeNode), ())
        accepted = self.read()
        edited = accepted.copy()
        edited[9, :, 26:] = False
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            edited.astype(np.uint8), self.segmentationNode, self.segmentId, self.volumeNode
        )
        self.assertEqual(anchors.editedSlices(self.segmentationNode, self.segmentId, self.volumeNode), (9,))

        proposal = self.propagate(correct=True)
        self.logic.accept(proposal, commit.LogicEditor(self.segmentationNode, self.volumeNode))
        corrected = self.read()
        np.testing.assert_array_equal(corrected[9], edited[9])
        np.testing.assert_array_equal(corrected[: SLICE + 1], accepted[: SLICE + 1])
        table = anchors.anchorsOf(self.segmentationNode, self.segmentId, self.volumeNode)
        self.assertEqual(table.entries, {4: anchors.HAND, SLICE: anchors.HAND, 9: anchors.CORRECTED})

        kept = provenance.read(self.segmentationNode, self.segmentId)
        self.assertRegex(kept["engine"], r"^\d+\.\d+")
        self.assertRegex(kept["weights"]["sha256"], r"^[0-9a-f]{64}$")
        self.assertEqual(set(kept["anchors"]), {"4", str(SLICE), "9"})
        self.assertIsNone(provenance.read(self.segmentationNode, self.otherId))

    def test_WhatIsMissingIsSaid(self):
        """An empty segment cannot be propagated; the sentence names it, and no process is started for it."""
        self.annotate(SLICE)
        empty = self.segmentationNode.GetSegmentation().AddEmptySegment("", "empty")
        self.assertIn("empty", annotation.describe(self.segmentationNode, empty, self.volumeNode).problem)
        with self.assertRaises(JobError) as failure:
            self.logic.propagate(self.volumeNode, self.segmentationNode, [empty])
        self.assertIn("empty", str(failure.exception))


# --- what needs Slicer's windows ---


class ApplicationSelfTest(SelfTestCase):
    """The panel and the effect in Slicer's application."""

    def setUp(self):
        """Skip where there is no application, as under the Python package slicer-core."""
        super().setUp()
        if not hasattr(slicer.modules, "fewshotsegment"):
            self.skipTest("the module is not loaded by Slicer's application")
        self.widget = slicer.util.getModuleWidget("FewShotSegment")
        # "Reload and Test" is pressed in the module itself
        self.addCleanup(self.widget.enter if slicer.util.selectedModule() == "FewShotSegment" else self.widget.exit)

    def test_ShortcutsOnlyWhileEntered(self):
        """None of them may work in other modules."""
        window = slicer.util.mainWindow()
        if window is None:
            self.skipTest("Slicer runs without its window")
        self.widget.exit()
        outside = _shortcuts(window)
        self.widget.enter()
        inside = _shortcuts(window)
        self.widget.exit()
        self.assertGreater(len(inside), len(outside))
        self.assertEqual(sorted(_shortcuts(window)), sorted(outside))

    def test_PanelSurvivesClosingTheScene(self):
        """With a volume chosen, then without any."""
        self.widget.enter()
        self.annotate(SLICE)
        parameterNode = self.widget.logic.getParameterNode()
        parameterNode.volume = self.volumeNode
        parameterNode.segmentation = self.segmentationNode
        slicer.mrmlScene.Clear()
        self.widget.enter()
        self.assertIsNone(self.widget.logic.getParameterNode().segmentation)

    def test_EffectInSegmentEditor(self):
        """It is registered, and every Segment Editor can choose it and leave it."""
        from .effect import register

        self.assertTrue(register.registerEffect())
        self.annotate(SLICE)
        editor = slicer.qMRMLSegmentEditorWidget()
        self.addCleanup(editor.deleteLater)
        editorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setMRMLSegmentEditorNode(editorNode)
        editor.setSegmentationNode(self.segmentationNode)
        editor.setSourceVolumeNode(self.volumeNode)
        editor.setCurrentSegmentID(self.segmentId)
        editor.setActiveEffectByName(register.NAME)
        effect = editor.activeEffect()
        self.assertEqual(effect.name, register.NAME)
        options = effect.self().options
        self.assertTrue(options.propagateButton.enabled)
        self.assertIn("organ", options.statusLabel.text)
        self.assertFalse(options.acceptButton.enabled)
        editor.setActiveEffectByName("Paint")
        self.assertEqual(editor.activeEffect().name, "Paint")

    def test_SampleDataIsRegistered(self):
        """In Slicer's Sample Data module, each with a checksum; nothing is downloaded."""
        try:
            import SampleData
        except ImportError:
            self.skipTest("this Slicer has no module Sample Data")
        from .setup import sampledata

        sources = slicer.modules.sampleDataSources.get(sampledata.CATEGORY, [])
        names = {source.sampleName for source in sources}
        self.assertLessEqual({sample.name for sample in sampledata.SAMPLES}, names, SampleData.__name__)
        for source in sources:
            checksums = [source.checksums] if isinstance(source.checksums, str) else source.checksums
            self.assertTrue(all(checksum.startswith("SHA256:") for checksum in checksums))


class ProcessSelfTest(unittest.TestCase):
    """What may never be in Slicer's own process."""

    def test_TorchIsNotImportedBySlicer(self):
        """PyTorch takes seconds to import and gigabytes of memory, and belongs to the engine's process.

        Another extension may have imported it; ours must not need it.
        """
        ours = [name for name in sys.modules if name.startswith(("FewShotSegmentModule", "FewShotSegmentLib"))]
        users = [name for name in ours if "torch" in vars(sys.modules[name])]
        self.assertEqual(users, [])

    def test_EngineIsTheOneBesideTheModule(self):
        """Not one that pip has put elsewhere: versions of both would drift apart."""
        from .jobs import worker

        worker.importEngine()
        import FewShotSegmentLib

        folder = os.path.dirname(os.path.dirname(os.path.abspath(FewShotSegmentLib.__file__)))
        self.assertEqual(os.path.realpath(folder), os.path.realpath(worker.engineFolder()))


def _shortcuts(window):
    import qt

    return [shortcut.key.toString() for shortcut in window.findChildren(qt.QShortcut)]


CASES = (LogicSelfTest, ApplicationSelfTest, ProcessSelfTest)


def makeSuite():
    """All tests of this file."""
    loader = unittest.TestLoader()
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in CASES)


def runAll(testCase):
    """Run all tests within another test, as "Reload and Test" does; what failed, and what was skipped, is said."""
    report = io.StringIO()
    result = unittest.TextTestRunner(stream=report, verbosity=2).run(makeSuite())
    logging.info("FewShotSegment self test\n%s", report.getvalue())
    for test, reason in result.skipped:
        logging.warning("FewShotSegment self test: %s was skipped: %s", test, reason)
    testCase.assertTrue(result.wasSuccessful(), report.getvalue())
    testCase.assertGreater(result.testsRun, len(result.skipped), "every test was skipped")
