"""Run inside Slicer by ctest: the tests of "Reload and Test", each by its own name."""

from FewShotSegmentModule.selfTest import ApplicationSelfTest, LogicSelfTest, ProcessSelfTest

__all__ = ["ApplicationSelfTest", "LogicSelfTest", "ProcessSelfTest"]
