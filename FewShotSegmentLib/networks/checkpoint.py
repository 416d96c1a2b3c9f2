"""Weights that the published code of DSPNet and SSL-ALPNet saved, read into the networks of this package."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, WeightsError
from .encoders import FeatureEncoder
from .fewshot import FewShotNetwork
from .registry import build

_METHODS = {"dspnet": "dspnet-published", "alpnet": "alpnet"}
_WRAPPERS = ("state_dict", "model")
_UNUSED = ("encoder.aspp_out.", "encoder.asppconv.")
"""Saved with every published checkpoint, 16 M parameters, and never used."""

_HARMLESS = ("torch._utils _rebuild", "torch ", "collections OrderedDict")
"""What the pickle of a state dictionary names."""

_MATRIX, _PUBLISHED_MATRIX = "regulation.cal", "cls_unit.cal"


def from_reference_checkpoint(
    source: Mapping[str, Any] | str | Path,
    method: str = "dspnet",
    restore_matrix: bool = False,
    encoder: str | FeatureEncoder | None = None,
    **settings: Any,
) -> FewShotNetwork[Any]:
    """A published network from its checkpoint, in evaluation mode.

    Published code does not restore DSPNet's learned matrix (see `prototypes.bcma`): it reads the checkpoint before the
    matrix exists, and passes over what does not fit. So by default the matrix keeps the values it starts from, and
    results are those that were published; the checkpoint's matrix may then be missing.

    Args:
        source: state dictionary, or a file: safetensors if its name ends so, else what `torch.save` wrote. Either may
            lie in a dictionary under "state_dict" or "model", its keys may begin with "module.", and the ASPP layers,
            which are never used, may be there or not.
        method: "dspnet" or "alpnet".
        restore_matrix: give DSPNet the matrix that was learned.
        encoder: see `build`; ResNet-101 as published by default.
        settings: of the network, see its class.

    Raises:
        InputError: unknown method or setting, or a matrix asked of SSL-ALPNet.
        WeightsError: the file cannot be read, or what is in it does not fit the network.
    """
    if method not in _METHODS:
        raise InputError(f"There are no checkpoints of “{method}”; there are: {', '.join(_METHODS)}.")
    if restore_matrix and method != "dspnet":
        raise InputError("Only DSPNet has a learned matrix to restore.")
    given = _read(Path(source)) if isinstance(source, (str, Path)) else source
    state = _unwrap(given)
    network = build(_METHODS[method], encoder, **settings)
    own = network.state_dict()
    renamed = {_MATRIX if name == _PUBLISHED_MATRIX and _MATRIX in own else name: t for name, t in state.items()}
    required = [name for name in own if name != _MATRIX or restore_matrix]
    faults = {
        "lacks": [_published(name) for name in required if name not in renamed],
        "has unknown": [_published(name) for name in renamed if name not in own],
    }
    _refuse(faults)
    wrong = [
        f"{_published(name)} ({list(tensor.shape)}, it should be {list(own[name].shape)})"
        for name, tensor in renamed.items()
        if tensor.shape != own[name].shape
    ]
    _refuse({"has the wrong shape in": wrong})
    broken = [name for name in required if not bool(torch.isfinite(renamed[name]).all())]
    _refuse({"has values that are no numbers in": [_published(name) for name in broken]})
    network.load_state_dict({name: renamed[name] for name in required}, strict=False)
    return network.eval()


def _published(name: str) -> str:
    """The key's name in the published checkpoint."""
    return _PUBLISHED_MATRIX if name == _MATRIX else name


_NAMED = 8
"""Keys named of each fault; a message must still be read."""


def _refuse(faults: dict[str, list[str]]) -> None:
    """Refuse a checkpoint if there are such keys.

    Raises:
        WeightsError: names the first few of each fault and says how many.
    """
    parts = []
    for how, found in faults.items():
        if found:
            first = ", ".join(found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
            entries = "1 entry" if len(found) == 1 else f"{len(found)} entries"
            parts.append(f"{how} {entries}: {first}")
    if parts:
        raise WeightsError(f"The checkpoint does not fit the network: it {'; it '.join(parts)}.")


def _unwrap(given: Any) -> dict[str, Tensor]:
    """The state dictionary itself, without wrapper, "module." and what is never used.

    Raises:
        WeightsError: it holds something other than tensors.
    """
    for wrapper in _WRAPPERS:
        if isinstance(given, Mapping) and isinstance(given.get(wrapper), Mapping):
            given = given[wrapper]
    if not isinstance(given, Mapping) or not given:
        raise WeightsError("The checkpoint holds no state dictionary.")
    state = {}
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"The checkpoint's entry “{name}” is not a tensor.")
        key = str(name).removeprefix("module.")
        if not key.startswith(_UNUSED):
            state[key] = tensor
    return state


def _read(path: Path) -> Any:
    """What is in a file; never runs code from it.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint file {path}.")
    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError  # noqa: PLC0415 - only for such files
        from safetensors.torch import load_file  # noqa: PLC0415

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"The checkpoint {path.name} is damaged or not a safetensors file.") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files, and all mean the same here
        if _holds_code(path):
            raise WeightsError(
                f"The checkpoint {path.name} is refused: it holds more than tensors and could run code when opened."
            ) from error
        raise WeightsError(f"The checkpoint {path.name} is damaged or not a checkpoint.") from error


def _holds_code(path: Path) -> bool:
    """Whether a file that torch refused names things to call other than those that rebuild tensors.

    Looks at the pickle's instructions without following any; tells a file that is dangerous from one that is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                data = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
        else:
            data = path.read_bytes()
        stream = io.BytesIO(data)
        while stream.tell() < len(data):  # old files are several pickles, one after the other
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in {"STACK_GLOBAL", "INST"}:
                    return True
                if opcode.name == "GLOBAL" and not str(argument).startswith(_HARMLESS):
                    return True
    except Exception:  # not a pickle, or not whole
        return False
    return False
