"""The one place that names the version of the engine and of the extension."""

__version__ = "0.1.0"
