"""The tests that run inside Slicer run here on the stand-ins: the panel's and the effect's part of them."""

from __future__ import annotations

import unittest

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "test_ShortcutsOnlyWhileEntered",
        "test_PanelSurvivesClosingTheScene",
        "test_EffectInSegmentEditor",
        "test_SampleDataIsRegistered",
    ],
)
def test_application_self_test_passes(load, name):
    load()
    from FewShotSegmentModule.selfTest import ApplicationSelfTest

    result = unittest.TestResult()
    ApplicationSelfTest(name).run(result)
    assert [text for _, text in result.failures + result.errors] == []
    assert result.skipped == []
    assert result.testsRun == 1


def test_none_of_them_is_left_out():
    from FewShotSegmentModule.selfTest import ApplicationSelfTest

    assert len(unittest.TestLoader().getTestCaseNames(ApplicationSelfTest)) == 4


def test_reload_and_test_runs_all_and_says_what_fails(load, monkeypatch):
    """What the button does, with tests in place of the real ones, which take long."""
    widget = load()
    from FewShotSegmentModule import selfTest

    class Passing(unittest.TestCase):
        def test_one(self):
            pass

    class Failing(unittest.TestCase):
        def test_two(self):
            self.fail("what is wrong")

    module = __import__(type(widget).__module__)
    monkeypatch.setattr(selfTest, "CASES", (Passing,))
    module.FewShotSegmentTest().runTest()
    monkeypatch.setattr(selfTest, "CASES", (Passing, Failing))
    with pytest.raises(AssertionError, match="what is wrong"):
        module.FewShotSegmentTest().runTest()
