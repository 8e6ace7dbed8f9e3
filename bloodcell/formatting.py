"""How numbers, settings and lists are written, in every table and sentence alike."""

from collections.abc import Sequence

from pydantic import BaseModel

from bloodcell.config import WEIGHTS_PREFIX, ExperimentConfig

_NOUNS = {"dense_units": "dense count"}
_UNITS = {"hidden_layers": "hidden layers", "dense_units": "dense units", "epochs": "epochs", "image_size": "px"}
_QUANTITIES = {
    "hidden_layers": "the number of hidden layers",
    "dense_units": "the number of dense units",
    "epochs": "the number of epochs",
    "trainable": "the choice of layers that train",
    "weights": "the choice of weights",
    "weights_sha256": "the choice of weights",
}

_MOST_DECIMALS = 9
"""Fewer are written; what they do not show is rounding."""


def noun(field: str) -> str:
    """What a field of ExperimentConfig is called in a sentence: `learning rate`."""
    return _NOUNS.get(field, field.replace("_", " "))


def quantity(field: str) -> str:
    """A field as what may matter or not: `the learning rate`, `the number of hidden layers`."""
    return _QUANTITIES.get(field, f"the {noun(field)}")


def amounts(field: str, values: Sequence[str]) -> str:
    """Values of a field with what they are.

    >>> amounts("hidden_layers", ["1", "2"]), amounts("learning_rate", ["1e-5"])
    ('1 and 2 hidden layers', 'learning rate 1e-5')
    """
    unit = _unit(field, values[0] if len(values) == 1 else "")
    return f"{listed(values)} {unit}" if unit else f"{noun(field)} {listed(values)}"


def from_to(field: str, start: str, end: str) -> str:
    """A step along a field.

    >>> from_to("hidden_layers", "1", "3"), from_to("learning_rate", "1e-5", "1e-4")
    ('from 1 to 3 hidden layers', 'from 1e-5 to 1e-4')
    """
    return f"from {start} to {end} {_unit(field, end)}".rstrip()


def _unit(field: str, value: str) -> str:
    unit = _UNITS.get(field, "")
    return unit.removesuffix("s") if value == "1" else unit


def reached(epoch: int, step: int) -> str:
    """How far a training has come, of which so many epochs have ended, and steps of the next.

    >>> reached(2, 30), reached(2, 0)
    ('in epoch 3, after step 30 of it', 'after epoch 2')
    """
    return f"in epoch {epoch + 1}, after step {step} of it" if step else f"after epoch {epoch}"


def setting(config: ExperimentConfig, field: str) -> object:
    """The value that counts: the side in pixels where `image_size` is left to the backbone."""
    return config.side if field == "image_size" else getattr(config, field)


def setting_text(config: ExperimentConfig, field: str) -> str:
    """A setting as text; weights in the store without their folder, which has the setting's own name."""
    return value_text(setting(config, field)).removeprefix(WEIGHTS_PREFIX)


def value_text(value: object) -> str:
    """A value that a setting has, or a part of one.

    >>> value_text(True), value_text(5e-5), value_text(None)
    ('yes', '5e-5', 'none')
    """
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return number(value)
        case BaseModel():
            return ", ".join(f"{noun(name)} {value_text(part)}" for name, part in value)
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


def shortened(text: str, length: int) -> str:
    """The start of a text that has no room.

    >>> shortened("EOSINOPHIL", 8), shortened("NEUTROPHIL", 10)
    ('EOSINOP…', 'NEUTROPHIL')
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"


def percent(fraction: float) -> str:
    """A fraction as percent with two decimals."""
    return f"{fraction:.2%}"


def points(change: float) -> str:
    """A difference of fractions in signed percentage points, with more than two decimals where two would show none.

    >>> points(0.004), points(0.00004), points(0)
    ('+0.40', '+0.004', '0.00')
    """
    for decimals in range(2, _MOST_DECIMALS):
        text = f"{change * 100:+.{decimals}f}"
        if float(text):
            return text.replace("-", "\N{MINUS SIGN}")
    return "0.00"


def odds_text(p: float) -> str:
    """A p-value, with so many decimals that it shows on which side of 0.05 it lies.

    >>> odds_text(0.0213), odds_text(0.0498), odds_text(0.0002)
    ('p = 0.021', 'p = 0.0498', 'p < 0.001')
    """
    if p < 0.001:
        return "p < 0.001"
    if p >= 0.1:
        return f"p = {p:.2f}"
    texts = (f"{p:.{decimals}f}" for decimals in range(3, _MOST_DECIMALS))
    return f"p = {next((text for text in texts if float(text) != 0.05), '0.050')}"


def runs_text(numbers: Sequence[int]) -> str:
    """Ascending numbers, those in a row as a range.

    >>> runs_text([0]), runs_text([0, 1, 2, 5])
    ('0', '0 to 2 and 5')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    pieces = (run if len(run) < 3 else [f"{run[0]} to {run[-1]}"] for run in runs)
    return listed([str(number) for piece in pieces for number in piece])


def milliseconds(seconds: float) -> int:
    """A duration in whole milliseconds."""
    return round(seconds * 1000)


def clock(seconds: float) -> str:
    """A duration as H:MM:SS, hours beyond 24 included.

    >>> clock(3200.448415)
    '0:53:20'
    """
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}"


def duration(seconds: float) -> str:
    """A duration in seconds to the millisecond, and how long that is where it takes a minute or more.

    >>> duration(3200.448415), duration(9.5)
    ('3,200.448 s (0:53:20)', '9.500 s')
    """
    return f"{seconds:,.3f} s ({clock(seconds)})" if seconds >= 60 else f"{seconds:,.3f} s"


def waiting_text(fraction: float | None) -> str:
    """How much of a learning time went into waiting for data.

    >>> waiting_text(0.0041), waiting_text(0.00001)
    ('Training waited for data 0.4% of the learning time.', 'Training waited for data 0.0% of the learning time.')
    """
    if fraction is None:
        return "How long training waited for data is unknown."
    return f"Training waited for data {fraction:.1%} of the learning time."


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def counted(number: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
