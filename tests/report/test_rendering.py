import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bloodcell.config import GridConfig
from bloodcell.report import rendering
from bloodcell.report.rendering import escape, report_html

HOSTILE = "a|b `c` *d* [e](javascript:f) <script>alert(1)</script> &lt; $g$ _h_\n# i\n\n- j \\"


class Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def hostile(make, figures, undrawn):
    grid = GridConfig(name="g", description=HOSTILE, experiments={"a": {}, "b": {"dense_units": 16}})
    labels = ("<img src=x onerror=alert(1)>", "x|y", "`z`", "**w**")
    return make(
        grid,
        {"a": figures(0.9, environment={"processor": HOSTILE}), "b": HOSTILE},
        labels=labels,
        origin=HOSTILE,
        command=HOSTILE,
    ).files


@given(st.text(min_size=1))
def test_escaped_text_reads_as_written(text):
    visible = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    expected = f"<p>{html.escape(visible)}</p>\n" if visible else ""
    assert parser.render(escape(text)).replace("&quot;", '"') == expected.replace("&quot;", '"').replace("&#x27;", "'")
    table = parser.render(f"| a | b |\n|---|---|\n| {escape(text)} | c |\n")
    assert table.count("<td>") == 2
    assert f"<td>{html.escape(visible, quote=False)}</td>" in table.replace("&quot;", '"')


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "12) a", "---", "===", "> a", "~~~", "* a"])
def test_a_value_cannot_start_a_block(text):
    assert MarkdownIt("commonmark").render(escape(text)) == f"<p>{html.escape(text)}</p>\n"


def test_ordinary_values_stay_readable_in_markdown():
    for text in ("InceptionV3 - F - D(8)", "-0.28", "2.21.0", "learning_rate-1e-05", "99.84%", "blood-cells.zip"):
        assert escape(text) == text


def test_free_text_shows_literally_and_adds_no_markup(hostile):
    page = Page(hostile["report.html"].decode())
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "div", "table", "thead", "tbody", "tr", "th", "td"),
        *("script", "h1", "h2", "h3", "p", "blockquote", "ul", "li", "strong", "em", "img"),
    }
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(" ".join(HOSTILE.split())) >= 3
    assert "<img src=x onerror=alert(1)>" in page.text


def test_free_text_does_not_break_tables(hostile):
    body = hostile["report.html"].decode()
    for table in re.findall(r"<table.*?</table>", body, re.S):
        widths = {len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.S)}
        assert len(widths) == 1


def test_html_is_one_file_that_needs_no_network(study):
    files = study.files
    page = Page(files["report.html"].decode())
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    pictures = {base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources}
    assert pictures == {data for name, data in files.items() if name.endswith(".png")}
    assert not {"link", "iframe"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import", files["report.html"].decode())


def test_the_policy_allows_the_pages_one_script_and_nothing_from_elsewhere(hostile):
    source = hostile["report.html"].decode()
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.S)
    assert source.count("<script") == 1
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(attributes["content"] for _, attributes in Page(source).tags if "http-equiv" in attributes)
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_the_results_alone_are_sortable(study):
    tables = re.findall(r"<table[^>]*>", study.files["report.html"].decode())
    assert tables[0] == '<table class="sortable">'
    assert set(tables[1:]) == {"<table>"}


def test_html_suits_phones_and_the_dark(study):
    source = study.files["report.html"].decode()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in source
    assert "prefers-color-scheme: dark" in source
    assert source.count("<table") == source.count('<div class="table" tabindex="0"><table') > 0


def test_every_picture_linked_is_there_and_every_picture_there_is_linked(study):
    files = study.files
    linked = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", files["report.md"].decode())
    assert sorted(linked) == sorted(name for name in files if name.endswith(".png"))
    assert len(linked) == 15


def test_a_line_that_only_begins_like_a_heading_stays_in_its_paragraph():
    html = b"".join(report_html(f"# x\n\nbest is\n{escape('#1 of three')}\n\n## y\n", {}, "x")).decode()
    assert "<p>best is\n#1 of three</p>\n<h2>y</h2>" in html


def test_the_pages_title_is_escaped():
    assert b"<title>a &lt;b&gt;</title>" in b"".join(report_html("# x", {}, "a <b>"))


def test_short_cells_stay_on_one_line_and_a_reason_does_not(make, figures, grid):
    html = make(grid, {"a": figures(0.8), "b": "the bucket is gone and so is all that was in it"}).files["report.html"]
    text = html.decode()
    assert re.search(r'<td [^>]*class="short"[^>]*>80\.00%|<td [^>]*class="short"[^>]*><strong>80\.00%', text)
    assert not re.search(r'class="short"[^>]*>failed: the bucket', text)


def test_every_template_is_compiled_ahead():
    rendering.compile_templates()
    environments = (rendering._markdown_templates(), rendering._html_templates())
    compiled = {name for environment in environments for _, name in environment.cache}
    assert compiled == set(environments[0].list_templates())
