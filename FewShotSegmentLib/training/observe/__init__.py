"""What is seen of a training while it runs and after: log, TensorBoard, validation, curves and a picture of the data.

Each is an `Observer` of the trainer; `make_observers` and `watching` put them together. None of them changes what is
learned (no random number is used up, no weight touched), and none ends a training: what fails becomes a note. `table`
is the file that grows by rows, `log` the steps' one, `labelled` finds volumes to validate with, `measure` scores
weights on them, `validate` does so now and then, `curves` and `parts` draw.
"""

from .curves import CurvesPicture, draw_curves
from .log import CsvLog, read_log
from .parts import PartsPicture, draw_strips, sample_parts, strips_of
from .table import CsvTable, read_table
from .tensorboard import TensorBoardLog
from .validate import Validation
from .watch import Watchers, make_observers, watching

__all__ = [
    "CsvLog",
    "CsvTable",
    "CurvesPicture",
    "PartsPicture",
    "TensorBoardLog",
    "Validation",
    "Watchers",
    "draw_curves",
    "draw_strips",
    "make_observers",
    "read_log",
    "read_table",
    "sample_parts",
    "strips_of",
    "watching",
]
