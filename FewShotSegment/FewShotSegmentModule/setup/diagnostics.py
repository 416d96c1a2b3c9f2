"""The text of "Copy diagnostics": what a bug report needs, and nothing that says whose images these are."""

import logging
import os
import platform
import re
import sys
import time
import traceback
from collections import deque

import slicer

from . import dependencies

_MOST_ERRORS = 10
_MOST_LINES = 60
_FILE = re.compile(
    r"[^\s\"'“”<>|:;,()\\/]+\.(?:seg\.nrrd|nii\.gz|nii|nrrd|nhdr|mha|mhd|mrb|mrml|dcm|npy|img|hdr|gipl|gz|zip|json)\b",
    re.I,
)
_PATH = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\|/)[^\s\"'“”<>|:;,()]+")
_QUOTED = re.compile(r"“[^”]*”")
_CODE = re.compile(r"[\\/]((?:FewShotSegment(?:Lib|Module)?|site-packages|slicer|lib[\\/]python[\d.]+)[\\/].*\.py)$")


class ErrorLog(logging.Handler):
    """Keeps the last warnings and errors of the extension, with tracebacks."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self._lines = deque(maxlen=_MOST_ERRORS)

    def attach(self):
        """Begin to listen."""
        logging.getLogger().addHandler(self)

    def detach(self):
        """Stop listening."""
        logging.getLogger().removeHandler(self)

    def emit(self, record):
        """Keep a record, if it is the extension's."""
        if "FewShotSegment" not in record.pathname and "FewShotSegment" not in str(record.msg):
            return
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        text = f"{moment} {record.levelname} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        self._lines.append(text)

    @property
    def texts(self):
        """What was kept, oldest first."""
        return list(self._lines)


def collect(logic=None, *, parameterNode=None, errors=(), installerLog=(), devices=None, weights=None, names=()):
    """The whole text. Starts nothing: what the engine has not said yet is not in it.

    Args:
        logic: FewShotSegmentLogic, for its worker and its failures.
        parameterNode: for device and weights in use.
        errors: texts of an `ErrorLog`.
        installerLog: lines of the set-up.
        devices: answer to a Devices request, if there was one.
        weights: entries of the answer to a Weights request, if there was one.
        names: further names that must not be in it, such as titles of the queue.
    """
    clean = Scrubber(names).clean
    parts = [_versions(), _packages(), _scene(), _settings(parameterNode), _devices(devices), _weights(weights)]
    # only what follows was written by others than this file, and may name volumes and files
    for title, lines in (
        ("Failures", _failures(logic)),
        ("Log", errors),
        ("Set-up", list(installerLog)[-_MOST_LINES:]),
        ("Engine's log", _workerLog(logic)),
    ):
        parts.append(_section(title, [clean(str(line)) for line in lines]))
    return "\n\n".join(part for part in parts if part) + "\n"


class Scrubber:
    """Takes names and places out of a text: of volumes by their size, of files and folders altogether."""

    def __init__(self, names=()):
        replacements = {str(name): "<name>" for name in names if name}
        for number, node in enumerate(_nodes(), start=1):
            label = f"<{node.GetClassName().removeprefix('vtkMRML').removesuffix('Node').lower()} {number}>"
            if node.GetName():
                replacements[node.GetName()] = label
            storage = node.GetStorageNode() if hasattr(node, "GetStorageNode") else None
            if storage is not None and storage.GetFileName():
                replacements[os.path.basename(storage.GetFileName())] = label
        replacements.update(_segmentNames())
        home = os.path.expanduser("~")
        # longest first, for one name may be the beginning of another
        self._replacements = sorted(replacements.items(), key=lambda pair: -len(pair[0]))
        self._home = home if len(home) > 1 else ""

    def clean(self, text):
        """The text without them."""
        for name, label in self._replacements:
            # a name of one or two letters would tear words apart; as a word of its own it goes too
            pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
            text = re.sub(pattern, label.replace("\\", r"\\"), text)
        text = _QUOTED.sub("“…”", text)
        text = _PATH.sub(self._path, text)
        text = _FILE.sub("<file>", text)
        return text.replace(self._home, "~") if self._home else text

    @staticmethod
    def _path(match):
        """Places of code stay, from the package on: a traceback is of no use without them."""
        code = _CODE.search(match.group())
        return code.group(1) if code else "<path>"


def _nodes():
    """What may carry a patient's name."""
    nodes = []
    for name in ("vtkMRMLStorableNode",):
        nodes += slicer.util.getNodesByClass(name)
    return [node for node in nodes if not node.IsA("vtkMRMLColorNode")]


def _segmentNames():
    names = {}
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        for number in range(segmentation.GetNumberOfSegments()):
            names[segmentation.GetNthSegment(number).GetName()] = "<segment>"
    return {name: label for name, label in names.items() if name}


def _section(title, lines):
    lines = [str(line) for line in lines if str(line).strip()]
    return "\n".join([f"## {title}", *lines]) if lines else ""


def _versions():
    application = slicer.app
    slicerVersion = getattr(application, "applicationVersion", "") or ".".join(
        str(getattr(application, name, "?")) for name in ("majorVersion", "minorVersion")
    )
    revision = getattr(application, "repositoryRevision", "") or getattr(application, "revision", "")
    engine = engineVersion() or "not found"
    return _section(
        "Versions",
        (
            f"FewShotSegment {engine}",
            f"Slicer {slicerVersion} {revision}".rstrip(),
            f"Python {platform.python_version()} ({sys.implementation.name})",
            f"{platform.platform()}, {platform.machine()}, {os.cpu_count()} cores",
        ),
    )


def engineVersion():
    """Version of the engine beside the module; empty if it is not there. Imports no torch."""
    try:
        from ..jobs.worker import importEngine

        importEngine()
        from FewShotSegmentLib.version import __version__
    except ImportError:
        return ""
    return __version__


def _packages():
    packages = [*dependencies.findPackages(), dependencies.findPackage("numpy"), dependencies.findPackage("SimpleITK")]
    lines = [f"{package.name} {package.installed or 'missing'}" for package in packages]
    extension = "installed" if dependencies.isTorchExtensionInstalled() else "missing"
    return _section("Packages", [*lines, f"PyTorch extension: {extension}"])


def _scene():
    lines = []
    for number, node in enumerate(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"), start=1):
        image = node.GetImageData()
        if image is None:
            lines.append(f"volume {number}: empty")
            continue
        size = " × ".join(str(n) for n in image.GetDimensions())
        spacing = " × ".join(f"{n:.3g}" for n in node.GetSpacing())
        transformed = ", transformed" if node.GetParentTransformNode() else ""
        lines.append(f"volume {number}: {size} {image.GetScalarTypeAsString()}, {spacing} mm{transformed}")
    for number, node in enumerate(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), start=1):
        lines.append(f"segmentation {number}: {node.GetSegmentation().GetNumberOfSegments()} segments")
    return _section("Scene", lines)


def _settings(parameterNode):
    if parameterNode is None:
        return ""
    weights = parameterNode.weights or "bundled"
    return _section(
        "Settings",
        (
            f"device {parameterNode.device}",
            f"weights {os.path.basename(weights)}",
            f"method {parameterNode.method}",
        ),
    )


def _devices(answer):
    if not answer:
        return ""
    lines = []
    for device in answer.get("devices", ()):
        unusable = "" if device.get("usable", True) else ", not usable"
        lines.append(f"{device.get('name')}: {device.get('text', '')}{unusable}")
    lines.append(f"auto is {answer.get('auto')}, {answer.get('threads')} threads")
    lines += [f"{name} {version}" for name, version in sorted((answer.get("versions") or {}).items())]
    return _section("Devices", lines)


def _weights(entries):
    lines = [
        f"{entry.get('name')} {entry.get('sha256', '')} {'bundled' if entry.get('bundled') else 'own'}"
        for entry in entries or ()
    ]
    return _section("Weights", lines)


def _failures(logic):
    """What the logic remembers of jobs that failed: title, sentence, detail."""
    lines = []
    for failure in list(getattr(logic, "failures", ()) or ())[-_MOST_ERRORS:]:
        lines += [str(part).rstrip() for part in failure if str(part).strip()]
    return lines


def _workerLog(logic):
    client = getattr(logic, "existingClient", None)
    log = getattr(client, "last_log", "") if client is not None else ""
    lines = log.splitlines() if isinstance(log, str) else [str(line) for line in log]
    return lines[-_MOST_LINES:]
