"""The table of hostile inputs in docs/reliability.md: what the cases give now."""

import re
from pathlib import Path

from bloodcell.formatting import shortened
from bloodcell.report.rendering import escape
from tests.hostile.case import Case, outcome
from tests.hostile.cases import CASES

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- hostile -->", "<!-- /hostile -->"
COMMAND = "make reliability"

_REPEATED = re.compile(r"((.)\2{7})\2{20,}")
"""One character over and over, of which eight tell enough."""

_LONGEST = 300
"""Characters of a message's line that the table has room for."""


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """A table for each kind of input."""
    return "\n\n".join(
        "\n".join(
            [f"### {kind}", "", "| input | what happens | what a user sees |", "|---|---|---|", *map(_row, cases)]
        )
        for kind, cases in CASES.items()
    )


def _row(case: Case) -> str:
    ended = outcome(case)
    happens = (
        case.taken if ended.error is None else f"refused: `{type(ended.error).__name__}`, exit {ended.error.exit_code}"
    )
    return f"| {_marked(case.what)} | {_marked(happens)} | {_lines(ended.message)} |"


def _marked(text: str) -> str:
    """Text as Markdown, but for its code spans; a bar would end the cell in them too."""
    spans = re.split(r"(`[^`]*`)", text)
    return "".join(span.replace("|", r"\|") if number % 2 else _escaped(span) for number, span in enumerate(spans))


def _escaped(text: str) -> str:
    """`escape` drops the spaces at the ends, which here stand beside a code span."""
    return f"{text[: len(text) - len(text.lstrip())]}{escape(text)}{text[len(text.rstrip()) :] if text.strip() else ''}"


def _lines(message: str) -> str:
    lines = (escape(shortened(_REPEATED.sub(r"\1…", line), _LONGEST)) for line in message.splitlines())
    # What looks like a link and is none would be followed by the test of the documentation's links.
    return "<br>".join(lines).replace("](", "]&#40;")
