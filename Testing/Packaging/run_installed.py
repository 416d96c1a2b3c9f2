"""Load the module from an installed folder, on the stand-ins of Testing/Gui, and print what there is as JSON.

A process of its own, whose Python path leads to no other engine or module than the installed ones.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path


def main(installed: Path, gui: Path) -> None:
    sys.path.insert(0, str(gui))
    import application

    slicer = application.start()
    # the folder of the repository, and an engine that pip has linked to it
    others = [path for path in sys.path if path and not (Path(path) / "FewShotSegmentLib").is_dir()]
    # Slicer has the folder of its modules on Python's path
    sys.path[:] = [str(installed), *others]
    widget = application.load_module(installed / "FewShotSegment.py")

    from FewShotSegmentModule.jobs import worker

    scripts = sorted((installed / "FewShotSegmentModule").rglob("*.py"))
    names = [".".join(path.relative_to(installed).with_suffix("").parts) for path in scripts]
    names = [name.removesuffix(".__init__") for name in names]
    report = {
        "title": slicer.modules.fewshotsegment.python.parent.title,
        "categories": slicer.modules.fewshotsegment.python.parent.categories,
        "modules": {name: importlib.import_module(name).__file__ for name in names},
        "engine": worker.engineFolder(),
        "version": importlib.import_module("FewShotSegmentLib.version").__file__,
        "sections": len(widget.sections),
        "effects": [effect.name for effect in slicer.qSlicerSegmentEditorEffectFactory.instance().registeredEffects()],
        "torch": "torch" in sys.modules,
        "answer": sorted(widget.logic.devices()) if "--ask" in sys.argv else [],
    }
    application.unload_module(widget)
    print(json.dumps(report), flush=True)
    os._exit(0)  # Qt and VTK take each other's windows down in an order that may crash


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
