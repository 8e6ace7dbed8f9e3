"""Frozen values: what they have in common, and how a value that is not accepted is explained."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from reprlib import Repr
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, ValidationInfo, field_validator

from bloodcell.errors import BloodcellError, ConfigError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A name that is safe as a path segment, an object name and a Prefect run name."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


ModelT = TypeVar("ModelT", bound=BaseModel)


class _Shown(Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # more digits than Python writes
            return f"an integer of {x.bit_length():,} bits"


_SHOWN = _Shown()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 200
"""How a value received is shown. What it leaves out it does not look at: a value may be larger than memory as text."""

_NAMED_AT_MOST = 20
"""Fields that an error explains."""

_LONGEST_MISTAKE = 100
"""Characters of what may be a misspelt name."""


class Frozen(BaseModel):
    """Base of every configuration value: immutable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_boolean(cls, value: Any, info: ValidationInfo) -> Any:
        # Python takes true for 1: `trainable: true` would train one layer.
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError(f"received {str(value).lower()}; this field is not a yes or no")
        return value


def validated(model: type[ModelT], value: Any, *, source: str, error: type[BloodcellError] = ConfigError) -> ModelT:
    """Validate `value`, translating pydantic's report into one error that names each field.

    Args:
        model: The model to build.
        value: What was received.
        source: Where it came from, for the message.
        error: The class to raise.

    Raises:
        BloodcellError: `value` does not validate; of class `error`.
    """
    try:
        return model.model_validate(value)
    except ValidationError as refused:
        problem = f"{source} is not valid:\n{explained(refused, model)}"
        raise error(problem, remedy="correct the fields named above") from refused


def suggestion(received: str, accepted: Iterable[str]) -> str:
    """What was probably meant, to stand behind what was received; empty where nothing comes close.

    >>> suggestion("mobilnet", ["mobilenet", "vgg16"]), suggestion("x", ["mobilenet"])
    (" (did you mean 'mobilenet'?)", '')
    """
    if len(received) > _LONGEST_MISTAKE:
        return ""
    by_lower = {name.lower(): name for name in accepted}
    close = get_close_matches(received.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def explained(refused: ValidationError, model: type[BaseModel]) -> str:
    """Pydantic's report as lines that name the field, the value received and what is accepted."""
    lines = []
    mistakes = refused.errors(include_url=False)
    for item in mistakes[:_NAMED_AT_MOST]:
        field = ".".join(_shortened(str(part)) for part in item["loc"])
        received = item["input"]
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            fields = model.model_fields if len(item["loc"]) == 1 else ()
            message = f"no such field{suggestion(str(item['loc'][-1]), fields)}"
        elif item["type"] == "literal_error":
            accepted = re.findall(r"'([^']*)'", item["ctx"]["expected"])
            meant = suggestion(received, accepted) if isinstance(received, str) else ""
            message = f"{message}; received {_SHOWN.repr(received)}{meant}"
        elif item["type"] != "value_error":
            message = f"{message}; received {_SHOWN.repr(received)}"
        lines.append(f"  {field}: {message}" if field else f"  {message}")
    if more := len(mistakes) - len(lines):
        lines.append(f"  and {more:,} more")
    return "\n".join(lines)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_MISTAKE else f"{name[: _LONGEST_MISTAKE - 1]}…"
