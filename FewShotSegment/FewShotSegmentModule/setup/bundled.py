"""What came with the extension: read from its files, so that no engine has to be started to name it."""

import functools
import json
import os

from ..jobs.worker import engineFolder


@functools.lru_cache(maxsize=1)
def defaultName():
    """Name of the bundled weights that are used by default; empty if they are not there."""
    path = os.path.join(engineFolder(), "Resources", "weights", "weights.json")
    try:
        with open(path, encoding="utf-8") as stream:
            return str(json.load(stream)["weights"][0]["name"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""
