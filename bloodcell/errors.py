"""The exception tree, and the exit code of each branch.

    BloodcellError                    70  a bug, or a case nobody thought of
    ├── DataError                     65  the data are at fault: not retried
    │   ├── ArchiveError                  not a zip, unsafe member, bomb
    │   ├── ImageError                    an image that cannot be decoded
    │   ├── DatasetError                  the set as a whole: an empty class, one class, no TEST folder
    │   ├── ObjectNotFoundError           no such object, dataset or experiment in the store
    │   └── CorruptObjectError            bytes that do not match their recorded hash
    ├── ConfigError                   78  the configuration is at fault: not retried
    │   ├── GridError                     a grid file that does not validate
    │   ├── WeightsError                  weights of the wrong shape, or with another SHA-256
    │   ├── DivergedError                 the loss became NaN or infinite
    │   ├── DeviceMemoryError             the batch or the image is too large for the device
    │   └── StorageError                  a store or disk that cannot be used as configured
    │       ├── StoragePermissionError
    │       └── StorageFullError
    ├── TransientError                75  try again: the store, or what runs experiments, is unreachable
    └── StoppedError                 143  stopped on request

Each error says what was received, what is accepted, and the remedy, and no credential. Exit codes follow BSD's
sysexits.h (EX_DATAERR, EX_CONFIG, EX_TEMPFAIL, EX_SOFTWARE).
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from bloodcell.printable import printable_lines
from bloodcell.redaction import redacted


class BloodcellError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        problem: What is wrong, with the value received and what is accepted.
        remedy: What the reader can do about it, as an imperative sentence.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, problem: str, *, remedy: str) -> None:
        # A message quotes names and values from elsewhere, and ends in a terminal, a log or the Prefect UI.
        self.problem = redacted(printable_lines(problem))
        self.remedy = redacted(printable_lines(remedy))
        super().__init__(self.problem)

    def __reduce__(self) -> tuple[Callable[..., "BloodcellError"], tuple[str]]:
        """As pickle needs it, which knows nothing of keywords: an error may come from another process."""
        return partial(type(self), remedy=self.remedy), (self.problem,)

    def __str__(self) -> str:
        return f"{self.problem}\n  Remedy: {self.remedy}"


class DataError(BloodcellError):
    """The data are at fault; trying again would fail again."""

    exit_code = 65


class ArchiveError(DataError):
    """An archive that is no zip, or that is not safe to read."""


class ImageError(DataError):
    """An image that cannot be decoded."""


class DatasetError(DataError):
    """A dataset that cannot be trained on or split as asked."""


class ObjectNotFoundError(DataError):
    """The store holds no such object."""


class CorruptObjectError(DataError):
    """An object whose bytes do not match their recorded SHA-256."""


class ConfigError(BloodcellError):
    """The configuration is at fault; trying again would fail again."""

    exit_code = 78


class GridError(ConfigError):
    """A grid that does not validate."""


class WeightsError(ConfigError):
    """Backbone weights that do not fit, or are not the ones named."""


class DivergedError(ConfigError):
    """Training produced a loss that is not finite."""


class DeviceMemoryError(ConfigError):
    """The configuration needs more memory than the device has."""


class StorageError(ConfigError):
    """A store or disk that cannot be used as configured."""


class StoragePermissionError(StorageError):
    """The process may not read or write there."""


class StorageFullError(StorageError):
    """No space is left there."""


class TransientError(BloodcellError):
    """A failure outside the experiment that a later attempt may not meet."""

    exit_code = 75


class StoppedError(BloodcellError):
    """The experiment was stopped on request: by SIGTERM, Ctrl-C or a cancelled grid."""

    exit_code = 143
