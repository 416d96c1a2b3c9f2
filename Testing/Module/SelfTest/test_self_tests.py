"""The tests that run inside Slicer run here as far as they go without Slicer's windows."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("run_self_tests.py")

if importlib.util.find_spec("slicer") is None:
    pytest.skip("no slicer-core for this computer", allow_module_level=True)


@pytest.fixture(scope="module")
def self_tests():
    """Run them in a process of their own; what became of them."""

    def run(*arguments: str) -> dict:
        command = [sys.executable, str(SCRIPT), *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_all_pass_with_the_real_engine(self_tests):
    report = self_tests("LogicSelfTest", "ProcessSelfTest")
    assert [text for _, text in report["failed"]] == []
    assert report["skipped"] == []
    assert report["run"] >= 5
    assert not report["torch"]


def test_before_the_set_up_what_is_missing_is_said(self_tests):
    report = self_tests("--not-set-up", "LogicSelfTest")
    assert [text for _, text in report["failed"]] == []
    assert {reason.partition(":")[0] for _, reason in report["skipped"]} == {"set-up not done, missing"}
    assert 0 < len(report["skipped"]) < report["run"]


def test_what_needs_the_application_says_so_and_is_skipped(self_tests):
    report = self_tests("ApplicationSelfTest")
    assert report["failed"] == []
    assert len(report["skipped"]) == report["run"] > 0
