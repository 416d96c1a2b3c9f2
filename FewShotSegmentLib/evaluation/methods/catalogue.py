"""Which methods there are, what each needs, and how it is made; nothing heavy is imported before it is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from ...errors import InputError
from ..method import Method, Recipe
from .base import needs

Maker = Callable[[Recipe], Method]

WITHIN, ACROSS = "within", "across"
WEIGHTS = "weights:"
"""Before the name of a few-shot network, in options: the folder with its weights."""


@dataclass(frozen=True)
class _Entry:
    """One method.

    Attributes:
        title: in tables.
        tasks: that it can do.
        maker: "module:function"; a leading dot stands for this package.
        packages: modules that have to be installed.
        options: of which it takes notice.
        usual: whether it is taken where no names are given.
    """

    title: str
    tasks: Sequence[str]
    maker: str
    packages: Sequence[str] = ()
    options: Sequence[str] = ()
    usual: bool = True


def _few_shot(title: str, name: str, usual: bool = True) -> _Entry:
    return _Entry(title, (ACROSS,), ".few_shot:make", options=("device", "weights", f"{WEIGHTS}{name}"), usual=usual)


_ENTRIES: dict[str, _Entry] = {
    "copy": _Entry("copy", (WITHIN, ACROSS), ".copy_slice:make"),
    "demons": _Entry("demons", (WITHIN, ACROSS), ".demons:make"),
    "flow": _Entry("optical flow", (WITHIN, ACROSS), ".flow:make", ("cv2",)),
    "grow": _Entry("Grow from seeds", (WITHIN,), ".slicer_effects:make_grow", ("slicer", "scipy")),
    "fill": _Entry("Fill between slices", (WITHIN,), ".slicer_effects:make_fill", ("slicer",)),
    "engine": _Entry("engine", (WITHIN,), ".engine:make", options=("device", "weights")),
    "prototype": _few_shot("prototype", "prototype"),
    "alpnet": _few_shot("ALPNet", "alpnet"),
    "dspnet-published": _few_shot("DSPNet, published", "dspnet-published"),
    "dspnet": _few_shot("DSPNet, repaired", "dspnet"),
    "conditional": _few_shot("conditional", "conditional", usual=False),
    "pipeline": _Entry(
        "full pipeline", (ACROSS,), ".pipeline:make", options=("device", "weights", f"{WEIGHTS}pipeline")
    ),
}
"""In the order of tables."""

_extras: dict[str, _Entry] = {}
_known_makers: dict[str, Maker] = {}
"""Those of `register`, which need not be imported by name in the process that registered them."""


def register(
    name: str, maker: Maker, title: str = "", tasks: Sequence[str] = (WITHIN,), packages: Sequence[str] = ()
) -> None:
    """Add a method from outside of the package; it comes after those of the package.

    Args:
        name: for --methods and files. One that is there already is replaced, if it is not of the package.
        maker: makes it from its recipe, which holds all options; a function of a module, since other processes find
            it by its name.
        title: in tables; the name by default.
        tasks: of "within" and "across", those it can do.
        packages: modules that have to be installed.

    Raises:
        InputError: a method of the package is called so, or the maker cannot be found by its name.
    """
    if name in _ENTRIES:
        raise InputError(f"There is a method called “{name}” already; take another name.")
    if "<" in maker.__qualname__ or "." in maker.__qualname__:
        raise InputError(f"The maker of the method “{name}” must be a function of a module.")
    path = f"{maker.__module__}:{maker.__qualname__}"
    _extras[name] = _Entry(title or name, tuple(tasks), path, tuple(packages), ("*",))
    _known_makers[path] = maker


def recipes(names: Sequence[str] | None, task: str, options: Mapping[str, str] | None = None) -> list[Recipe]:
    """Recipes of methods, in the order asked for; a name given twice counts once.

    Args:
        names: of `copy`, `demons`, …; all usual ones of the task if None, also those that cannot run here.
        task: "within" or "across".
        options: "device" ("cpu" by default), "weights" (folder or name of the propagator's, the bundled ones by
            default) and "weights:NETWORK" (folder of a few-shot network's own weights with its own encoder, as
            `fewshotsegment pretrain` leaves them).

    Raises:
        InputError: there is no method or option of that name, or the method cannot do the task.
    """
    everything = {**_ENTRIES, **_extras}
    options = dict(options or {})
    _check_options(options, everything)
    if names is None:
        names = [name for name, entry in everything.items() if task in entry.tasks and entry.usual]
    able = [name for name, entry in everything.items() if task in entry.tasks]
    chosen = []
    for name in dict.fromkeys(names):
        if name not in everything:
            raise InputError(f"There is no method “{name}”; there are: {', '.join(able)}.")
        if name not in able:
            what = "carry slices through their own volume" if task == WITHIN else "segment another patient's volume"
            raise InputError(f"The method “{name}” cannot {what}; those that can are: {', '.join(able)}.")
        chosen.append(_recipe(name, everything[name], options))
    return chosen


def make(recipe: Recipe) -> Method:
    """Make a method, in the process that is to use it.

    Raises:
        InputError: something that it needs is not installed, or there is no such method.
        WeightsError: its weights are missing, damaged or another network's.
        DeviceError: the device is not there.
    """
    if recipe.missing:
        raise InputError(recipe.missing)
    path = recipe.options.get("maker") or (_ENTRIES[recipe.name].maker if recipe.name in _ENTRIES else "")
    if not path:
        raise InputError(f"There is no method “{recipe.name}”; there are: {', '.join([*_ENTRIES, *_extras])}.")
    if path in _known_makers:
        return _known_makers[path](recipe)
    module, _, function = path.partition(":")
    # what is found by name has no type; `Maker` is what makers promise
    return cast("Maker", getattr(import_module(module, __package__), function))(recipe)


def _check_options(options: Mapping[str, str], everything: Mapping[str, _Entry]) -> None:
    known = list(dict.fromkeys(option for entry in everything.values() for option in entry.options if option != "*"))
    for option in options:
        if option not in known:
            raise InputError(f"Methods have no option “{option}”; they have: {', '.join(known)}.")


def _recipe(name: str, entry: _Entry, options: Mapping[str, str]) -> Recipe:
    taken = {key: value for key, value in options.items() if key in entry.options or "*" in entry.options}
    if name in _extras:
        taken["maker"] = entry.maker
    missing = next((needs(module) for module in entry.packages if importlib.util.find_spec(module) is None), "")
    if name == "conditional" and f"{WEIGHTS}{name}" not in options:
        missing = "The conditional network knows nothing before it is trained; give weights of its own."
    return Recipe(name, entry.title, tuple(entry.tasks), missing, taken)
