"""How numbers, settings and lists are written, in every table and sentence alike."""

from collections.abc import Sequence

from pydantic import BaseModel

from bloodcell.config import ExperimentConfig

_NOUNS = {"hidden_layers": "hidden layers", "dense_units": "dense count"}


def noun(field: str) -> str:
    """What a field of ExperimentConfig is called in a sentence: `learning rate`."""
    return _NOUNS.get(field, field.replace("_", " "))


def setting(config: ExperimentConfig, field: str) -> object:
    """The value that counts: the side in pixels where `image_size` is left to the backbone."""
    return config.side if field == "image_size" else getattr(config, field)


def setting_text(config: ExperimentConfig, field: str) -> str:
    """A setting as text."""
    return _text(setting(config, field))


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return number(value)
        case BaseModel():
            return ", ".join(f"{noun(name)} {_text(part)}" for name, part in value)
        case _:
            return str(value)


def number(value: float) -> str:
    """A setting's number as people write it: `0.5`, `5e-5`.

    >>> number(0.00005), number(1e-4), number(0.5)
    ('5e-5', '1e-4', '0.5')
    """
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def percent(fraction: float) -> str:
    """A fraction as percent with two decimals."""
    return f"{fraction:.2%}"


def points(change: float) -> str:
    """A difference of fractions in signed percentage points."""
    return f"{change * 100:+.2f}".replace("-", "\N{MINUS SIGN}")


def milliseconds(seconds: float) -> int:
    """A duration in whole milliseconds."""
    return round(seconds * 1000)


def clock(seconds: float) -> str:
    """A duration as H:MM:SS.ffffff, hours beyond 24 included.

    >>> clock(3200.448415)
    '0:53:20.448415'
    """
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}.{micros:06}"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def counted(number: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
