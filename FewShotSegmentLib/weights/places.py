"""Where weights of one's own lie, and what they may be called."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import InputError, WeightsError
from .manifest import MANIFEST

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for itself."""


def is_name(name: str) -> bool:
    """Whether weights, their file and their folder may be called so, on any system."""
    return bool(_NAME.fullmatch(name)) and not _RESERVED.fullmatch(name)


def check_name(name: str) -> str:
    """The name, if weights may be called so.

    Raises:
        InputError: they may not.
    """
    if not is_name(name):
        raise InputError(
            f"Weights cannot be called “{name}”; use up to 64 letters a–z, digits, dots, hyphens and underscores."
        )
    return name


def default_store_path() -> Path:
    """The user's folder of adapted weights: what FEWSHOTSEGMENT_WEIGHTS names, else one in the data folder."""
    given = os.environ.get("FEWSHOTSEGMENT_WEIGHTS")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path  # noqa: PLC0415 - needed only where no folder is named

    return user_data_path("FewShotSegment", appauthor=False) / "weights"


def find_weights_folder(given: str | Path | None) -> Path | None:
    """The folder to load weights from.

    Args:
        given: a folder with weights, or the name of weights in the user's store; None for the bundled ones.

    Returns:
        The folder, to be given to `Engine.load(weights_folder=…)`; None for the bundled ones.

    Raises:
        WeightsError: there are no such weights. Nothing of the weights is read yet.
    """
    if given is None:
        return None
    folder = Path(given)
    if (folder / MANIFEST).is_file():
        return folder
    if is_name(str(given)):
        own = default_store_path() / str(given)
        if (own / MANIFEST).is_file():
            return own
    raise WeightsError(
        f"There are no weights {given}: neither a folder with {MANIFEST}, nor a name that “fewshotsegment finetune "
        "--list” shows."
    )
