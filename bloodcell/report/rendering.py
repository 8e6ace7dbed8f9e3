"""From values to report.md, and from report.md to the one-file report.html.

In the Markdown template every `{{ value }}` is escaped unless a filter made it Markdown, as HTML templates do:
a class called `a|b` or a reason with a line break cannot change the document's structure.
"""

import base64
import hashlib
import mimetypes
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from bloodcell import formatting
from bloodcell.report.calibration import calibration_text
from bloodcell.report.evidence import interval_lines, wide_note
from bloodcell.report.notes import reasons
from bloodcell.report.table import class_lines

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LEADING = re.compile(r"^(?:[#+=-](?=[#+=\s-]|$)|\d+(?=[.)](?:\s|$)))")


_HEADING = re.compile("^(?=#{1,6} )", re.MULTILINE)
"""Before each heading: nothing else begins so, as `escape` sees to it."""

_SHORT = 24
"""Characters of a table's cell that no line break may part; a reason is longer, and broken."""


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escape(value: object) -> Markdown:
    """A value as Markdown that shows it literally, on one line.

    The backslash escapes are those of CommonMark 0.31, section 2.4, for the characters that have a meaning within
    a line or a table's cell, and for what would start a list, heading or rule.
    """
    if isinstance(value, Markdown):
        return value
    text = " ".join("".join(char if char.isprintable() else " " for char in str(value)).split())
    text = _SPECIAL.sub(r"\\\g<0>", text)
    if leading := _LEADING.match(text):
        # A digit cannot be escaped; the point behind it can.
        end = leading.end() if leading.group().isdigit() else 0
        text = f"{text[:end]}\\{text[end:]}"
    return Markdown(text)


def strong(value: object) -> Markdown:
    """A value in bold."""
    return Markdown(f"**{escape(value)}**")


def report_markdown(**context: Any) -> str:
    """The report as Markdown.

    Args:
        **context: The names that templates/report.md.j2 uses.
    """
    return _markdown_templates().get_template("report.md.j2").render(context)


def compile_templates() -> None:
    """Have every template compiled, for one who has nothing better to do."""
    for name in _html_templates().list_templates():
        environment = _markdown_templates() if name.endswith(".md.j2") else _html_templates()
        environment.get_template(name)


@cache
def _html_templates() -> Environment:
    return Environment(loader=PackageLoader("bloodcell.report"), undefined=StrictUndefined, autoescape=True)


@cache
def _markdown_templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("bloodcell.report"),
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - `finalize` escapes, for Markdown
    )
    environment.filters |= {
        "strong": strong,
        "duration": formatting.duration,
        "waiting_text": formatting.waiting_text,
        "fraction": "{:.4f}".format,
        "counted": formatting.counted,
        "setting": formatting.setting_text,
        "class_lines": class_lines,
        "interval_lines": interval_lines,
        "wide_note": wide_note,
        "reasons": reasons,
        "percent": formatting.percent,
        "calibration_text": calibration_text,
    }
    return environment


def report_html(markdown: str, pictures: Mapping[str, bytes], title: str) -> Iterator[bytes]:
    """A report as one HTML file that needs nothing else, part by part.

    The pictures are most of it, a megabyte a row, and are put in last, one by one.

    Args:
        markdown: The report.
        pictures: PNG or JPEG by the path under which the report names it.
        title: Of the page.
    """
    slot = secrets.token_hex()  # no name or reason can hold it
    body, paths = _body(markdown, slot)
    environment = _html_templates()
    script = environment.get_template("report.js").render()
    # The policy names the script by its hash, so that no other runs, whatever a name or reason holds.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("report.html.j2").render(title=title, body=body, script=script, digest=digest)
    first, *others = page.split(slot)
    yield first.encode()
    for path, text in zip(paths, others, strict=True):
        yield f"{data_uri(path, pictures[path])}{text}".encode()


def _body(markdown: str, slot: str) -> tuple[str, list[str]]:
    """The report as HTML, `slot` in the place of each picture, and the pictures' paths in order.

    It is parsed heading by heading: the parser's tokens take a hundred times the memory of their text.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    rendered: list[str] = []
    paths: list[str] = []
    no_table_yet = True
    for section in _HEADING.split(markdown):
        tokens = parser.parse(section)
        for opening, inline in pairwise(tokens):
            if opening.type == "td_open" and len(inline.content) <= _SHORT:
                opening.attrJoin("class", "short")
            if opening.type == "table_open" and no_table_yet:  # the results
                opening.attrSet("class", "sortable")
                no_table_yet = False
        for image in (child for token in tokens for child in token.children or () if child.type == "image"):
            paths.append(str(image.attrs["src"]))
            image.attrSet("src", slot)
        rendered.append(parser.renderer.render(tokens, parser.options, {}))
    return "".join(rendered), paths


def data_uri(path: str, picture: bytes) -> str:
    """A picture as an address that holds it; the path's suffix tells its type."""
    media = mimetypes.guess_type(path)[0]
    return f"data:{media};base64,{base64.b64encode(picture).decode()}"


def _table_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, *_: object) -> str:
    # The box scrolls, so that on a phone a wide table does not widen the page.
    return f'<div class="table" tabindex="0"><table{renderer.renderAttrs(tokens[index])}>\n'


def _table_close(*_: object) -> str:
    return "</table></div>\n"
