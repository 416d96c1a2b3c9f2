"""A client's files for the worker's tests, and a transport that does what a test says."""

import numpy as np
from small_cases import make_organ

from FewShotSegmentLib.worker.codec import from_line, to_line
from FewShotSegmentLib.worker.messages import AnnotatedRef, Ready, SegmentRef, VolumeRef

SPACING = (3.0, 1.0, 1.0)
LPS = [[1.0, 0.0, 0.0, -28.0], [0.0, 1.0, 0.0, -24.0], [0.0, 0.0, 3.0, 100.0], [0.0, 0.0, 0.0, 1.0]]


class Files:
    """Writes volumes and annotations to a folder, as Slicer's side does."""

    def __init__(self, folder):
        self.folder = folder
        self._number = 0

    def save(self, array):
        self._number += 1
        path = self.folder / f"in-{self._number}.npy"
        np.save(path, array)
        return str(path)

    def volume(self, image, key="v1", modality="ct", name="patient"):
        return VolumeRef(key, self.save(image), LPS, modality, name)

    def segment(self, mask, *indices, key="s1", name="organ", axis=0, **options):
        stack = np.moveaxis(mask, axis, 0)
        slices = self.save(np.ascontiguousarray(stack[list(indices)]).astype(np.uint8))
        return SegmentRef(key, name, list(indices), slices, axis, [0.9, 0.1, 0.2], "a~b", **options)

    def case(self, *indices, seed=0, complete=False):
        organ = make_organ(seed=seed)
        return AnnotatedRef(
            self.volume(organ.image, f"v{seed}"), [self.segment(organ.mask, *indices, key=f"k{seed}")], complete
        )


def whole(result, shape):
    """The mask of an answer's segment in the volume's shape."""
    mask = np.zeros(shape, bool)
    box = np.load(result["file"])
    z, y, x = result["origin"]
    assert box.dtype == np.uint8 and set(np.unique(box)) <= {0, 1}
    mask[z : z + box.shape[0], y : y + box.shape[1], x : x + box.shape[2]] = box != 0
    return mask


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class ScriptedTransport:
    """Keeps what is written; a test says what is answered."""

    def __init__(self):
        self.messages = []
        self.calls = []
        self.running = False
        self.start_error = None

    def start(self, command, environment, on_output, on_log, on_finished):
        if self.start_error:
            raise self.start_error
        self.command, self.environment = command, environment
        self.output, self.log, self.finished = on_output, on_log, on_finished
        self.running = True

    def write(self, data):
        self.messages.append(from_line(data))

    def close_input(self):
        self.calls.append("close")

    def kill(self):
        self.calls.append("kill")
        self.running = False

    def poll(self):
        pass

    def say(self, event):
        self.output(to_line(event))

    def ready(self, pid=77, protocol=1):
        self.say(Ready("", protocol, "1.0", pid, "3.11"))

    def end(self, code):
        self.running = False
        self.finished(code)
