"""Text from elsewhere (names, log lines, messages) as text that a terminal shows and does not obey."""

import re
import unicodedata

_SEQUENCE = re.compile(
    r"""\x1b\[ [0-?]* [\ -/]* [@-~]           # a colour, a move of the cursor, a cleared screen
      | \x1b\] [^\x07\x1b\n]* (?:\x07|\x1b\\)  # a window title, a link, the clipboard
    """,
    re.VERBOSE,
)
"""The sequences of ECMA-48 that carry no text."""


def printable(text: str) -> str:
    r"""A text on one line, with a `?` in place of each control character.

    >>> printable("\x1b[31mred\r\n"), printable("a\tb")
    ('?[31mred??', 'a b')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    r"""The same of a text that may have several lines.

    >>> printable_lines("two\nlines\x07")
    'two\nlines?'
    """
    return "\n".join(map(printable, text.split("\n")))


def without_sequences(text: str) -> str:
    r"""A log line without the colours of whoever wrote it. Not for names: two of them may differ in nothing else.

    >>> without_sequences("\x1b[1;31mred\x1b[0m")
    'red'
    """
    return _SEQUENCE.sub("", text)


def _shown(char: str) -> str:
    if char.isprintable() or unicodedata.category(char) == "Zs":  # a space of another width
        return char
    return " " if char == "\t" else "?"
