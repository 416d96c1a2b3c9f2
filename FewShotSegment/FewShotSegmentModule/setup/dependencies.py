"""What the engine needs in Slicer's Python, and what of it is missing. Nothing is imported or installed here."""

import importlib.metadata
import importlib.util
import os
import re
from typing import NamedTuple

import slicer

TORCH = "torch>=2.1"
"""Installed by the PyTorch extension, which chooses the build that fits this computer; never by pip from here."""

SLICER_VERSION = (5, 12)
"""The first stable version with slicer.packaging."""

_IMPORT_NAMES = {"pynrrd": "nrrd"}
"""Name of a package → what it is imported as, where they differ."""

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*([^;#]*)")


class Package(NamedTuple):
    """A package that the engine needs.

    name: as pip calls it.
    versions: that will do, ">=1.0"; empty for any.
    installed: version that is there, "" if none is, "?" if it does not say.
    sufficient: whether that will do.
    """

    name: str
    versions: str
    installed: str
    sufficient: bool

    @property
    def requirement(self):
        """As pip reads it."""
        return self.name + self.versions


def readRequirements(path):
    """Requirements of a file, without comments and pip's options."""
    with open(path, encoding="utf-8") as stream:
        lines = [line.strip() for line in stream]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def requirementsPath():
    """The list of what pip installs."""
    module = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(module, "Resources", "requirements.txt")


def findPackage(requirement):
    """What there is of a required package; looks for it without importing it, for torch takes seconds."""
    name, versions = _REQUIREMENT.match(requirement).groups()
    versions = versions.replace(" ", "")
    if importlib.util.find_spec(_IMPORT_NAMES.get(name, name)) is None:
        return Package(name, versions, "", False)
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Package(name, versions, "?", True)
    return Package(name, versions, installed, _isIn(installed, versions))


def findPackages():
    """All that is needed: torch first."""
    importlib.invalidate_caches()
    return [findPackage(requirement) for requirement in (TORCH, *readRequirements(requirementsPath()))]


_missing = None


def look():
    """Look again what is missing: some ten milliseconds, on a disk that has to be woken more. Returns it."""
    global _missing  # noqa: PLW0603
    _missing = [package for package in findPackages() if not package.sufficient]
    return _missing


def missingPackages():
    """What has to be installed, or renewed, before the engine can run, as it was when `look` was last called."""
    return look() if _missing is None else _missing


def isTorchExtensionInstalled():
    """Whether the PyTorch extension is there."""
    return importlib.util.find_spec("PyTorchUtils") is not None


def isSlicerRecent():
    """Whether this Slicer has what the set-up uses."""
    return (int(slicer.app.majorVersion), int(slicer.app.minorVersion)) >= SLICER_VERSION


def _isIn(version, versions):
    try:
        # comes with Slicer, whose slicer.packaging needs it too
        from packaging.specifiers import SpecifierSet
    except ImportError:
        return True
    return SpecifierSet(versions).contains(version, prereleases=True)
