from importlib import import_module

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.page import PAGE, PICTURES, README, bars, page, quoted
from benchmarks.results import RESULTS, Figure, read_results, save
from bloodcell.errors import ConfigError


@pytest.fixture
def results(tmp_path):
    figures = [
        Figure(key="fast", text="speed", value=1.7, unit="x", at_least=1.6),
        Figure(key="slow", text="wait", value=31, unit="s", at_most=30),
        Figure(key="size", text="memory", value=1234, unit="MB"),
    ]
    rows = [{"model": "MobileNet", "images/s": 62.1}]
    return [
        save("throughput", "How.", tmp_path, images="drawn", settings={}, figures=figures, rows=rows, notes=["So."])
    ]


def test_each_figure_stands_beside_its_bar(results):
    assert "| speed | drawn | 1.70x | at least 1.60x | met |" in bars(results)
    assert "| wait | drawn | 31.0 s | at most 30.0 s | **not met** |" in bars(results)
    assert "memory" not in bars(results)


def test_the_page_shows_all_that_a_result_holds(results):
    shown = page(results, {"throughput"})
    for part in (
        "## throughput\n\nHow.\n",
        "| MobileNet | 62.1 |",
        "memory: **1,234 MB**",
        "So.",
        "](performance/throughput.png)",
    ):
        assert part in shown
    assert ".png" not in page(results, set())


def test_a_page_quotes_figures(results):
    text = "takes <!-- bench:size -->old<!-- /bench -->, and\n<!-- bench:bars -->\nold\n<!-- /bench -->"
    new = quoted(text, results)
    assert "takes <!-- bench:size -->1,234 MB<!-- /bench -->" in new
    assert bars(results) in new
    assert "old" not in new
    assert quoted(new, results) == new


def test_an_unknown_figure_is_refused(results):
    with pytest.raises(ConfigError, match="bench:sped names no figure; there are fast, size, slow"):
        quoted("<!-- bench:sped --><!-- /bench -->", results)


def test_the_committed_page_is_what_the_committed_results_give():
    results = read_results(RESULTS)
    pictures = {picture.stem for picture in PICTURES.glob("*.png")}
    assert (PAGE.read_text() if PAGE.exists() else None) == (page(results, pictures) if results else None)
    assert README.read_text() == quoted(README.read_text(), results)


def test_no_two_committed_figures_share_a_key():
    keys = [figure.key for result in read_results(RESULTS) for figure in result.figures]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_takes_the_options_that_it_is_given(name):
    script = import_module(f"benchmarks.{name}")
    assert {*BENCHMARKS[name], "folder"} <= {option.name for option in script.main.params}


@pytest.mark.parametrize("result", read_results(RESULTS), ids=lambda result: result.benchmark)
def test_committed_figures_were_measured_as_make_bench_measures(result):
    script = import_module(f"benchmarks.{result.benchmark}")
    defaults = {option.name: option.default for option in script.main.params if not callable(option.default)}
    common = defaults.keys() & result.settings.keys() - {"weights"}  # which make bench is given
    given = {name: [*default] if isinstance(default := defaults[name], tuple) else default for name in common}
    assert common
    assert given == {name: result.settings[name] for name in common}
