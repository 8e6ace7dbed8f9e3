"""What turns the key of an experiment into a run of it somewhere."""

from tasks.runners.base import Exit, Runner
from tasks.runners.process import ProcessRunner

__all__ = ["Exit", "ProcessRunner", "Runner"]
