"""PyTorch through the PyTorch extension, without holding up Slicer."""

import importlib
import importlib.util
import logging

import slicer

from .dependencies import TORCH


def installTorch(onLine, onDone):
    """Have the PyTorch extension's installer install torch.

    `PyTorchUtilsLogic.installTorch` waits for the download (up to some GB) without an event loop and then imports
    torch into Slicer, where Windows keeps its files locked until Slicer ends. So the same program that it runs, with
    the arguments that the extension makes, is run as a process of its own, and torch is only ever imported by the
    engine's process. An extension that has no such parts (they are not public) is asked the documented way.

    Args:
        onLine: called with each line that the installer prints.
        onDone: called with True if it succeeded; later, or before this returns.

    Raises:
        ImportError: the PyTorch extension is not there.
        Exception: what the extension's own installer raises.
    """
    import PyTorchUtils

    utils = PyTorchUtils.PyTorchUtilsLogic
    arguments = _installerArguments(utils)
    if arguments is None:
        logging.info("FewShotSegment: PyTorch is installed by PyTorchUtilsLogic.installTorch")
        versions = TORCH.removeprefix("torch")
        onDone(utils().installTorch(askConfirmation=False, torchVersionRequirement=versions) is not None)
        return
    if importlib.util.find_spec("light_the_torch") is None:
        # the extension knows which one it works with
        utils._installLightTheTorch()
        importlib.invalidate_caches()
    logging.info("FewShotSegment: PyTorch is installed by light_the_torch %s", " ".join(arguments))
    slicer.util.executePythonModule(
        "light_the_torch",
        arguments,
        blocking=False,
        logCallback=onLine,
        completedCallback=lambda exitCode: onDone(exitCode == 0),
    )


def _installerArguments(utils):
    """Arguments of the extension's installer, or None if the extension does not work as it did."""
    make = getattr(utils, "_getPipInstallArguments", None)
    if make is None or not hasattr(utils, "_installLightTheTorch") or not hasattr(slicer.util, "executePythonModule"):
        return None
    try:
        arguments = make(torchVersionRequirement=TORCH.removeprefix("torch"))
    except TypeError:
        return None
    is_plain = isinstance(arguments, list) and all(isinstance(argument, str) for argument in arguments)
    return arguments if is_plain and arguments[:1] == ["install"] else None
