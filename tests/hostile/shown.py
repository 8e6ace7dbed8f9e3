"""What an experiment prints, and names in the report: text that would command the terminal, the UI or the browser."""

import json
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from bloodcell.config import GridConfig
from bloodcell.errors import BloodcellError
from tasks.experiment import line_of
from tasks.runners.base import Transcript, error_of
from tests.hostile.case import Case
from tests.report.conftest import Figures, build

_EPOCH = {
    "event": "epoch",
    "epoch": 1,
    "epochs": 3,
    "loss": 0.5,
    "accuracy": 0.5,
    "val_loss": 0.5,
    "val_accuracy": 0.5,
    "seconds": 1,
}
_SCRIPT = "<script>alert(1)</script>"


def _prints(line: str, code: int = 0) -> Callable[[Path], str]:
    """Takes a line that an experiment prints; returns what the log of its task says."""

    def give(_: Path) -> str:
        shown: list[str] = []
        transcript = Transcript(lambda event: shown.append(line_of("basic", event)), shown.append)
        transcript.add(line)
        if error := error_of(transcript.exit(code)):
            raise error
        return "\n".join(shown)

    return give


def _event(**fields: object) -> str:
    return json.dumps(fields, separators=(",", ":"))


class _Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.markup: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.markup += [tag, *(name for name, _ in attrs)]

    def handle_data(self, data):
        self.text += f"{data}\n" if data.strip() else ""


_CLASSES = {
    f"`{_SCRIPT}`": _SCRIPT,
    "`<img src=x onerror=alert(1)>`": "<img src=x onerror=alert(1)>",
    "as a link to `javascript:alert(1)`": "[x](javascript:alert(1))",
    "`a|b **c** $\\frac$`": "a|b **c** $\\frac$",
}


@cache
def _page(*labels: str) -> _Page:
    """A report in which classes are called so, and the archive, the command and a reason like the first of them."""
    name = labels[0]
    grid = GridConfig(name="g", description=name, experiments={"a": {}, "b": {"dense_units": 16}})
    accuracy = dict.fromkeys(("train", "validation", "test"), 0.9)
    example = build(grid, {"a": Figures(accuracy), "b": name}, labels=labels, origin=name, command=name)
    return _Page(example.files["report.html"].decode())


def _reports(label: str) -> Callable[[Path], str]:
    """Makes a report with hostile names; returns the line that names the class."""

    def give(_: Path) -> str:
        page = _page(*_CLASSES.values())
        assert page.markup.count("script") == 1, "the page's own"
        assert set(page.markup) == set(_page("A", "B", "C", "D").markup)
        return next(line for line in page.text.splitlines() if line == label)

    return give


_AS_LOG = "taken as a line of log"
_AS_TEXT = "shown as text; no markup comes of it, and the page's policy lets no script run but its own"

SHOWN = (
    Case(
        "a log line that clears the screen",
        _prints("\x1b[2J\x1b[31mowned\x1b[0m\x07"),
        "owned?",
        taken=f"{_AS_LOG}, without the sequences",
    ),
    Case(
        "a log line that sets the window's title",
        _prints("\x1b]0;owned\x07done"),
        "done",
        taken=f"{_AS_LOG}, without the sequences",
    ),
    Case(
        "a log line of 10,000,000 letters",
        _prints("x" * 10_000_000),
        "xxx…",
        taken=f"{_AS_LOG}, of which 4,000 letters",
    ),
    Case(
        "a log line that turns the direction of writing",
        _prints("photo_\u202egpj.exe"),
        "photo_?gpj.exe",
        taken=_AS_LOG,
    ),
    Case(
        "an event with a terminal sequence",
        _prints(_event(event="step", message="\x1b[2J\rdone")),
        "basic: ?[2J?done",
        taken="taken as the event, with the sequence as text",
    ),
    Case("an event of no kind", _prints(_event(event="shutdown", message="now")), '"shutdown"', taken=_AS_LOG),
    Case("an event that is cut short", _prints('{"event":"epoch","epoch":1,'), '"epoch":1,', taken=_AS_LOG),
    Case("an event of 100,000 brackets", _prints('{"event":' + "[" * 100_000), '{"event":[[[', taken=_AS_LOG),
    Case("epoch 1 of 0", _prints(_event(**_EPOCH | {"epochs": 0})), '"epochs":0', taken=_AS_LOG),
    Case(
        "epoch 1,000,000,000 of 1",
        _prints(_event(**_EPOCH | {"epoch": 10**9, "epochs": 1})),
        "1000000000",
        taken=_AS_LOG,
    ),
    Case(
        "an epoch whose number has 5,000 digits",
        _prints('{"event":"epoch","epoch":' + "9" * 5000 + "}"),
        "999",
        taken=f"{_AS_LOG}, of which 4,000 letters",
    ),
    Case(
        "an epoch whose loss is not a number",
        _prints(_event(**_EPOCH | {"loss": float("nan")})),
        "loss nan",
        taken="taken as the epoch",
    ),
    Case(
        "a failure with a terminal sequence",
        _prints(_event(event="error", problem="\x1b]0;owned\x07gone", remedy="\x1b[2Jrun again"), 70),
        "?]0;owned?gone",
        BloodcellError,
        taken="fails the experiment",
    ),
    Case(
        "an end without a word, and a coloured line before it",
        _prints("\x1b[31mSegmentation fault\x1b[0m", 70),
        "70: Segmentation fault",
        BloodcellError,
        taken="fails the experiment",
    ),
    *(Case(f"a class named {named}", _reports(label), label, taken=_AS_TEXT) for named, label in _CLASSES.items()),
)
