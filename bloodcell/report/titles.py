"""The room that texts take in pictures: titles are broken into lines such that none leaves the figure."""

import re
from collections.abc import Callable, Iterator

from matplotlib.figure import Figure
from matplotlib.text import Text

_SIZE = 10.0  # points
_LEADING = 1.25  # distance of lines, in sizes
_ROOM = 0.95  # share of the figure's width
# Not before a dash, so that a line of an architecture ends with it, and not within parentheses.
_BREAK = re.compile(r" (?!- )(?![^()]*\))")


def set_title(figure: Figure, title: str, colour: str) -> None:
    """Print a title above a figure, which grows by what the title needs beyond one line.

    Args:
        figure: Where to.
        title: Its line breaks are kept; more are put where a line is too wide.
        colour: Of the text.
    """
    text = figure.suptitle("", fontsize=_SIZE, color=colour, linespacing=_LEADING, parse_math=False)
    room = figure.get_figwidth() * _ROOM

    def fits(line: str) -> bool:
        text.set_text(line)
        return inches(text, figure)[0] <= room

    lines = [line for paragraph in title.split("\n") for line in _wrapped(paragraph, fits)]
    text.set_text("\n".join(lines))
    figure.set_figheight(figure.get_figheight() + (len(lines) - 1) * _SIZE * _LEADING * 1.2 / 72)


def inches(text: Text, figure: Figure) -> tuple[float, float]:
    """Width and height that a text takes in its figure, without an arrow that it may have."""
    extent = Text.get_window_extent(text)
    return extent.width / figure.dpi, extent.height / figure.dpi


def _wrapped(paragraph: str, fits: Callable[[str], bool]) -> Iterator[str]:
    line = ""
    for word in _BREAK.split(paragraph):
        if line and fits(f"{line} {word}"):
            line = f"{line} {word}"
            continue
        if line:
            yield line
        *full, line = _pieces(word, fits)
        yield from full
    yield line


def _pieces(word: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """A word cut where it alone is wider than a line: a row's name has no spaces."""
    while word and not fits(word):
        end = next((end for end in range(len(word) - 1, 1, -1) if fits(word[:end])), 1)
        yield word[:end]
        word = word[end:]
    yield word
