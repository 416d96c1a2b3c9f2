"""Diagnostics help with a bug and name no patient."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from FewShotSegmentModule.setup import diagnostics

NAMES = ("Meier^Hans 1941", "Huber", "Schmidt_Anna_CT.nii.gz")


@pytest.fixture
def patient(scene):
    """A volume, its file and a segmentation that carry names."""
    slicer = sys.modules["slicer"]
    node = slicer.util.addVolumeFromArray(np.zeros((5, 6, 7), np.int16), name="Meier^Hans 1941")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName("/data/Huber/Schmidt_Anna_CT.nii.gz")
    node.SetAndObserveStorageNodeID(storage.GetID())
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Huber segmentation")
    segmentation.GetSegmentation().AddEmptySegment("1", "Huber tumor")
    return node


@pytest.fixture
def log():
    handler = diagnostics.ErrorLog()
    handler.attach()
    yield handler
    handler.detach()


def test_what_is_in_it(patient):
    devices = {
        "devices": [{"name": "cuda:0", "text": "Some GPU, 3.0 GB free", "free_bytes": 3 * 2**30, "usable": True}],
        "auto": "cuda:0",
        "threads": 4,
        "versions": {"torch": "2.5.1"},
    }
    weights = [{"name": "propagator-v1", "sha256": "956b67b3", "bundled": True}]
    parameters = SimpleNamespace(device="auto", weights="", method="dspnet")
    text = diagnostics.collect(
        None, parameterNode=parameters, devices=devices, weights=weights, installerLog=["no space left on device"]
    )
    for part in ("FewShotSegment 0", "Python 3", "torch", "pynrrd", "7 × 6 × 5 short", "cuda:0: Some GPU, 3.0 GB free"):
        assert part in text, text
    for part in ("torch 2.5.1", "propagator-v1 956b67b3 bundled", "device auto", "no space left on device"):
        assert part in text, text


def test_no_name_gets_in(patient, log):
    try:
        raise OSError("cannot read /home/huber/patients/Schmidt_Anna_CT.nii.gz")
    except OSError:
        logging.getLogger().exception("FewShotSegment: Meier^Hans 1941 failed (“Huber tumor”)")
    logic = SimpleNamespace(
        failures=[("Other volumes", "Huber segmentation: nothing found in C:\\Scans\\Huber\\a.nrrd", "")],
        existingClient=SimpleNamespace(last_log="reading Meier^Hans 1941 from Petersen_MR.nrrd\nready"),
    )
    text = diagnostics.collect(logic, errors=log.texts, names=["Petersen_MR", "Queue Müller"])
    for name in ("Meier", "Hans", "Huber", "huber", "Schmidt", "Anna", "Petersen"):
        assert name not in text, text
    assert "OSError: cannot read <path>" in text
    assert "Traceback" in text and "nothing found in" in text and "ready" in text
    assert "scalarvolume" in text  # in place of the volume's name


def test_tracebacks_keep_the_places_of_code(log, scene):
    try:
        diagnostics.dependencies.readRequirements("/nowhere/at all")
    except OSError:
        logging.getLogger().exception("FewShotSegment: reading")
    text = diagnostics.collect(None, errors=log.texts)
    assert "FewShotSegmentModule/setup/dependencies.py" in text
    assert "/nowhere" not in text


def test_only_our_own_messages_are_kept(log):
    logging.getLogger("other").warning("of somebody else")
    logging.getLogger().info("FewShotSegment: not a warning")
    for number in range(30):
        logging.getLogger().warning("FewShotSegment: %d", number)
    assert len(log.texts) == 10
    assert log.texts[-1].endswith("WARNING FewShotSegment: 29")


def test_it_starts_nothing(scene):
    class Logic:
        failures = ()
        existingClient = None

        @property
        def client(self):
            raise AssertionError("the engine was started")

    assert "## Versions" in diagnostics.collect(Logic())


def test_a_detached_log_hears_nothing():
    handler = diagnostics.ErrorLog()
    handler.attach()
    handler.detach()
    logging.getLogger().warning("FewShotSegment: later")
    assert handler.texts == []
