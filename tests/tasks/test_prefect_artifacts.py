import base64
import re
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

from bloodcell.config import GridConfig
from bloodcell.report.rows import rows_of
from bloodcell.store import LocalStore
from tasks.labels import artifact_key
from tasks.prefect_artifacts import LARGEST, MOST_ROWS, cut, embed, links, literal, report, results_table
from tests.report.conftest import Figures, build

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)> <http://e.org> [here](http://e.org) ![pixel](http://e.org/p.png)\n\nmore"


class SignedStore(LocalStore):
    """A store in a folder that gives links as a bucket does."""

    def link(self, name, **_):
        return f"https://bucket.example/{name}?signature={'0' * 400}"


@pytest.fixture
def bucket(tmp_path) -> SignedStore:
    return SignedStore(tmp_path)


@pytest.fixture(scope="module")
def example():
    """Two rows with a result and one without, whose name and reason Markdown could take for its own."""
    grid = GridConfig(name="My_Grid", experiments={"basic": {}, "a__b_": {"dense_units": 16}, "c": {"dropout": 0.1}})
    good = Figures({"train": 0.9, "validation": 0.8, "test": 0.75}, seconds=3723.6)
    return build(
        grid, {"basic": good, "a__b_": good, "c": HOSTILE}, sources={"train": 277, "validation": 70, "test": 71}
    )


def rows(example):
    return rows_of(example.run.rows, example.info, example.results, example.cells)


def test_a_key_is_one_that_prefect_accepts():
    assert artifact_key("results", "My_Grid.v2-") == "results-my-grid-v2"


def test_the_table_has_a_line_for_each_row(example, store):
    first, second, third = results_table(store, rows(example))
    key = example.run.rows[0].key
    assert first == {
        "Row": "basic",
        "Status": "trained",
        "Test accuracy": "75.00%",
        "Changed": "",
        "Test images": "2,500 of 71 cells",
        "Learning time": "1:02:04",
        "Artifacts": f"{store.url}/experiments/{key}/",
        "Reason": "",
    }
    assert second["Changed"] == "dense count 16"
    assert list(third) == list(first)  # or a column would be missing
    assert (third["Status"], third["Test accuracy"], third["Artifacts"]) == ("failed", "", "")
    assert third["Reason"] == literal(HOSTILE)


def test_a_cell_is_text_where_cells_are_read_as_markdown_and_where_they_are_not():
    shown = literal(HOSTILE)
    assert shown.replace("\N{WORD JOINER}", "") == " ".join(HOSTILE.split())
    html = MarkdownIt("commonmark", {"html": True}).render(shown)
    assert re.findall(r"<(\w+)", html) == ["p"]
    assert re.findall(r"<(\w+)", MarkdownIt("commonmark", {"html": True}).render(HOSTILE)) != ["p"]


def test_a_reason_as_long_as_a_log_is_cut():
    assert len(literal("word " * 1000)) == 300


def test_the_report_carries_its_pictures(example, bucket):
    markdown = report(bucket, example.run, rows(example), example.files, NOW)
    assert "](plots/" not in markdown
    shown = [base64.b64decode(data) for data in re.findall(r"!\[.*\]\(data:image/png;base64,(.*)\)", markdown)]
    assert sorted(shown) == sorted(data for name, data in example.files.items() if name.endswith(".png"))


def test_the_report_of_a_large_grid_stays_within_its_bytes(example, bucket):
    large = {name: bytes(300_000) if name.endswith(".png") else data for name, data in example.files.items()}
    markdown = report(bucket, example.run, rows(example), large, NOW)
    assert len(markdown.encode()) <= LARGEST
    assert markdown.count("](data:image/png") == 2
    assert len(re.findall(r"\]\(https://bucket\.example/grids/My_Grid/.*/plots/.*\.png\?", markdown)) == 3


def test_charts_find_room_before_photographs(example, bucket):
    photographs = {f"plots/{name}-gradcam.jpg": bytes(400_000) for name in ("basic", "b")}
    links = "".join(f"\n![Grad-CAM]({path})\n" for path in photographs)
    report_md = (links + example.markdown).encode()
    markdown = report(bucket, example.run, rows(example), example.files | photographs | {"report.md": report_md}, NOW)
    assert markdown.count("](data:image/png") == sum(name.endswith(".png") for name in example.files)
    assert markdown.count("](data:image/jpeg") == 1
    assert "[Grad-CAM](https://bucket.example/grids/My_Grid/" in markdown


def test_of_a_grid_of_thousands_the_artifacts_show_what_failed_and_as_much_as_finds_room(example, bucket):
    done, _, failed = rows(example)
    many = [done] * 3000 + [failed]
    table = results_table(bucket, many)
    assert len(table) == MOST_ROWS + 1
    assert [line["Status"] for line in table[:2]] == ["failed", "trained"]
    assert table[-1]["Row"] == "… and 2,501 more, in results.csv"
    files = example.files | {"report.md": example.files["report.md"] + "äöü | row\n".encode() * 200_000}
    markdown = report(bucket, example.run, many, files, NOW)
    assert LARGEST - 20 < len(markdown.encode()) <= LARGEST
    text, _, models = markdown.partition("\n\n… The artifact ends here")
    assert text.endswith("\näöü | row")
    assert models.count("/model.keras?") == MOST_ROWS


def test_without_room_nothing_but_the_note_is_left():
    assert cut("line\n" * 1000, 10).strip() == cut("line\n" * 1000, -9000).strip()
    assert cut("line\n" * 1000, 10).startswith("\n\n… The artifact ends here")
    assert cut("line\n", 5) == "line\n"


def test_the_report_links_to_its_files_and_models(example, bucket):
    markdown = report(bucket, example.run, rows(example), example.files, NOW)
    folder = f"https://bucket.example/grids/My_Grid/{example.run.run_id}"
    assert markdown.startswith(f"[report.html]({folder}/report.html?")
    assert "open until 2026-12-01 07:30 UTC at the latest" in markdown
    assert f"bloodcell report fetch My_Grid {example.run.run_id}" in markdown
    models = markdown.partition("## Models")[2]
    for outcome in example.run.rows[:2]:
        assert f"(https://bucket.example/experiments/{outcome.key}/model.keras?" in models
    assert models.count("\n- ") == 2


def test_files_are_named_by_their_folder_since_no_page_may_open_them(example, store):
    assert links(store, example.run, NOW) == f"`{store.url}/grids/My_Grid/{example.run.run_id}/`"


def test_pictures_that_find_no_room_become_links(example):
    text, pictures = example.markdown, example.files

    def link(shown: str, path: str) -> str:
        return f"[{shown}](https://e.org/{path})"

    whole = embed(text, pictures, link, 10**9)
    assert whole.count("](data:image/png") == len(pictures) - 5  # report.md, report.html, two tables and drawings.json
    for room in (len(whole.encode()), len(whole.encode()) - 1, 60_000):
        fitted = embed(text, pictures, link, room)
        assert len(fitted.encode()) <= room
        assert (
            fitted.count("](data:image/png") + fitted.count("](https://e.org/plots/") == len(pictures) - 5
        )  # report.md, report.html, two tables and drawings.json
    assert 0 < fitted.count("](data:image/png") < len(pictures) - 4
    none = embed(text, pictures, link, 0)
    assert "](https://e.org/plots/a__b_-curves.png)" in none
    assert "data:" not in none
