"""Stand-in for slicer.packaging: says what is installed, installs nothing.

Tests replace the functions to see what a module asks for.
"""

import importlib.metadata
import re


class InstallationAbortedError(RuntimeError):
    """The user said no."""


def _refuse(*arguments, **_options):
    raise RuntimeError(f"nothing is installed in tests: {arguments}")


pip_install = pip_uninstall = pip_ensure = _refuse


def pip_check(requirement):
    """Whether a distribution of this name is installed; versions are not compared."""
    names = [requirement] if isinstance(requirement, str) else [str(one) for one in requirement]
    return all(_installed(re.split(r"[\s<>=!~;\[]", name, maxsplit=1)[0]) for name in names)


def _installed(name):
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
