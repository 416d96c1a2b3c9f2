"""Which questions are put to which methods: one file for each protocol.

`options` (what can be chosen) and `folds` (who supports whom) feed the protocols; `supports` says which slices are
annotated, `asked` puts a question and watches its cost, `scoring` makes the row. `disturb` and `careless` make scans
and annotations worse; `splits` says what may be trained on.

Some organs turn out to be impossible to ask for only when their scan is read: their rows have no metrics and a sentence
in `extra["left_out"]`, and `set_aside` parts them from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import InputError
from ..protocol import Protocol
from .interactive import Interactive, rounds_needed
from .one_slice import OneSlice
from .options import Options
from .published import Published
from .robustness import Robustness
from .scoring import set_aside
from .splits import LABEL_GROUPS, label_group, training_split, write_splits
from .whole_volume import WholeVolume

__all__ = [
    "LABEL_GROUPS",
    "Options",
    "label_group",
    "make",
    "names",
    "rounds_needed",
    "set_aside",
    "training_split",
    "write_splits",
]

_PROTOCOLS: dict[str, Callable[[Options], Protocol]] = {
    protocol.name: protocol for protocol in (Published, WholeVolume, OneSlice, Interactive, Robustness)
}


def names() -> tuple[str, ...]:
    """Names of all protocols, in the order of the README."""
    return tuple(_PROTOCOLS)


def make(name: str, options: Mapping[str, object] | None = None) -> Protocol:
    """A protocol with some choices; it can be pickled, so that other processes can measure by it.

    Args:
        name: of `names`.
        options: see `Options`; what is not there has its default.

    Raises:
        InputError: there is no such protocol or option, or an option has a value that it cannot have.
    """
    if name not in _PROTOCOLS:
        raise InputError(f"There is no protocol “{name}”; there are: {', '.join(_PROTOCOLS)}.")
    return _PROTOCOLS[name](Options.read(options or {}))
