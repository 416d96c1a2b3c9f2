"""Run the module's self tests under slicer-core, where there is no Qt, and print what became of each as JSON.

A process of its own: the tests look at what Slicer's process has imported, and pytest's has imported the whole engine.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main(*arguments: str) -> None:
    cases = [argument for argument in arguments if not argument.startswith("-")]
    specification = importlib.util.spec_from_file_location("headless", ROOT / "Testing/MRML/headless_slicer.py")
    headless = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(headless)
    headless.start()
    sys.path.insert(0, str(ROOT / "FewShotSegment"))

    from FewShotSegmentModule import selfTest

    if "--not-set-up" in arguments:
        _take_packages_away()
    chosen = [case for case in selfTest.CASES if not cases or case.__name__ in cases]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in chosen)
    result = unittest.TestResult()
    suite.run(result)
    report = {
        "run": result.testsRun,
        "skipped": [[test.id(), reason] for test, reason in result.skipped],
        "failed": [[test.id(), text] for test, text in result.failures + result.errors],
        "torch": "torch" in sys.modules,
    }
    print(json.dumps(report), flush=True)
    os._exit(0)  # VTK's and Python's ends are not what is tested


def _take_packages_away() -> None:
    """As in a Slicer whose user has not agreed to the set-up yet: the worker finds the standard library and itself."""
    from FewShotSegmentModule.jobs import worker
    from FewShotSegmentModule.setup import dependencies

    worker.workerCommand = lambda: [sys.executable, "-S", "-m", "FewShotSegmentLib.worker"]
    dependencies.missingPackages = lambda: [dependencies.Package("torch", ">=2.1", "", False)]


if __name__ == "__main__":
    main(*sys.argv[1:])
