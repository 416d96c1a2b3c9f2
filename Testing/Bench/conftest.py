"""The bench's modules import each other by plain name, because run.py is run as a script: tests need the same path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
