"""YAML as plain values: what could harm the reader is refused before anything is built of it."""

from collections.abc import Iterable
from itertools import accumulate, repeat
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent

LARGEST = 2**18
"""Characters of the longest text that is read."""

DEEPEST = 32
"""Levels of lists and mappings within one another."""

MOST_VALUES = 100_000
"""Values of a text, those that an alias (`*name`) repeats counted each time."""

_BRACKETS = {"[": 1, "{": 1, "]": -1, "}": -1}

_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map"))


def read_yaml(text: str) -> Any:
    """The value of a YAML text: text, numbers, yes or no, nothing, dates, and lists and mappings of these.

    YAML 1.2 reads 1e-5 as a number and refuses a repeated key, which YAML 1.1 loaders do not.

    Raises:
        YAMLError: It is not YAML, or is more than is accepted: too long, too deep, of other types than these, or with
            aliases that make it grow.
    """
    if len(text) > LARGEST:
        raise YAMLError(f"it has more than the {LARGEST:,} characters that are accepted")
    # The parser's time grows with the square of these, before it tells of the first.
    steps = map(_BRACKETS.get, text, repeat(0))
    if max(accumulate(steps, lambda depth, step: max(0, depth + step)), default=0) > DEEPEST:
        raise YAMLError(f"it has more than the {DEEPEST} levels of brackets that are accepted")
    try:
        _check(YAML(typ="safe", pure=True).parse(text))
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        place = _place(error.problem_mark) if error.problem_mark else ""
        raise YAMLError(f"{error.problem}{place}") from error
    except ValueError as error:  # Python's limit on the digits of a number, a date that is none
        raise YAMLError(f"it holds a value that cannot be read: {str(error).partition(';')[0]}") from error


def _check(events: Iterable[Event]) -> None:
    """Refuse what takes more memory as values than as text; the events themselves take none."""
    expanded = _Expanded()
    for event in events:
        if isinstance(event, CollectionEndEvent):
            expanded.end(event)
        elif isinstance(event, AliasEvent):
            expanded.repeat(event)
        elif isinstance(event, NodeEvent):
            _check_tag(event)
            expanded.begin(event)


class _Expanded:
    """How many values there are so far, in the text and in each collection that is open, and how deep they lie."""

    def __init__(self) -> None:
        self._sizes = [0]
        self._open: list[str | None] = []
        self._by_anchor: dict[str, int] = {}

    def begin(self, event: NodeEvent) -> None:
        """A value, or the start of a collection."""
        if event.anchor in self._by_anchor or (event.anchor and event.anchor in self._open):
            raise YAMLError(f"&{event.anchor} names a second value{_place(event.start_mark)}")
        if isinstance(event, CollectionStartEvent):
            self._sizes.append(1)
            self._open.append(event.anchor)
            if len(self._open) > DEEPEST:
                raise YAMLError(f"more than the {DEEPEST} levels that are accepted begin{_place(event.start_mark)}")
        else:
            self._add(1, event)
            if event.anchor:
                self._by_anchor[event.anchor] = 1

    def end(self, event: Event) -> None:
        """The end of the collection that began last."""
        size, anchor = self._sizes.pop(), self._open.pop()
        if anchor:
            self._by_anchor[anchor] = size
        self._add(size, event)

    def repeat(self, event: AliasEvent) -> None:
        """All of a value, once more."""
        if event.anchor in self._open:
            raise YAMLError(f"*{event.anchor} repeats a value within itself{_place(event.start_mark)}")
        self._add(self._by_anchor.get(event.anchor, 1), event)

    def _add(self, size: int, event: Event) -> None:
        self._sizes[-1] += size
        if self._sizes[-1] > MOST_VALUES:
            place = _place(event.start_mark)
            raise YAMLError(f"with what its aliases repeat, it holds more than {MOST_VALUES:,} values{place}")


def _check_tag(event: NodeEvent) -> None:
    tag = str(getattr(event, "ctag", None) or "")
    if tag and tag != "!" and tag not in _TAGS:
        accepted = ", ".join(sorted(f"!!{kind.removeprefix(_TAG)}" for kind in _TAGS))
        place = _place(event.start_mark)
        raise YAMLError(f"it has the tag {tag.replace(_TAG, '!!')!r}{place}; accepted are {accepted}, or better none")


def _place(mark: StreamMark) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}"
