"""Developer's "Reload": Slicer itself loads only FewShotSegment.py anew, not what it is made of."""

import importlib
import sys

# The worker's asking side and the rule for the slice to suggest run in Slicer's process. The engine proper does not: it
# is new with the next worker.
RELOADED = (
    "FewShotSegmentModule",
    "FewShotSegmentLib.review",
    "FewShotSegmentLib.worker",
    "FewShotSegmentLib.version",
)

# Slicer loads this file itself, under this name, for the next editor that is made
FORGOTTEN = "FewShotPropagateEffect"


def _isReloaded(name):
    return any(name == root or name.startswith(root + ".") for root in RELOADED)


def _bind(modules):
    """Make each module an attribute of its package, as importing it does."""
    for name, module in modules.items():
        package, _, attribute = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], attribute, module)


def reloadAll():
    """Load all loaded modules of the panel, and of the worker's asking side, from their files again.

    They are forgotten together and imported together, so that each imports the new ones that it needs whatever the
    order; `importlib.reload` one by one leaves old classes in what was imported with `from … import …`. If a file
    cannot be imported, the old modules stay and the error is raised. Call it when the worker has been closed.

    Returns:
        Names of the modules.
    """
    old = {name: module for name, module in sys.modules.items() if _isReloaded(name)}
    for name in old:
        del sys.modules[name]
    try:
        for name in old:
            importlib.import_module(name)
        sys.modules.pop(FORGOTTEN, None)
    except BaseException:
        for name in [name for name in sys.modules if _isReloaded(name)]:
            del sys.modules[name]
        sys.modules.update(old)
        _bind(old)
        raise
    return list(old)
