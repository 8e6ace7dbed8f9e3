import pytest
from pydantic import ValidationError

from benchmarks.results import Figure, read_results, save
from bloodcell.errors import CorruptObjectError


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        ({"at_least": 1.6}, True),
        ({"at_least": 1.61}, False),
        ({"at_most": 1.6}, True),
        ({"at_most": 1.59}, False),
        ({}, None),
    ],
)
def test_a_figure_clears_its_bar_or_does_not(bar, met):
    assert Figure(key="speed", text="speed", value=1.6, unit="x", **bar).met is met


def test_a_figure_has_one_bar():
    with pytest.raises(ValidationError, match="two bars"):
        Figure(key="speed", text="speed", value=1.6, at_least=1, at_most=2)


def test_a_result_is_read_as_it_was_saved(tmp_path, capsys):
    figure = Figure(key="speed", text="speed", value=1.5, unit="x", at_least=1.6)
    saved = save("fast", "How.\n\n    Indented.", tmp_path, images="none", settings={"rounds": 3}, figures=[figure])
    assert read_results(tmp_path) == [saved]
    assert saved.machine["cores"] > 0
    assert "speed: 1.500x (at least 1.600x: NOT MET)" in capsys.readouterr().out


def test_a_damaged_result_is_named(tmp_path):
    (tmp_path / "fast.json").write_text('{"benchmark": "fast"}')
    with pytest.raises(CorruptObjectError, match=r"fast\.json.*is not valid"):
        read_results(tmp_path)
