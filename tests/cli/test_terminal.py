import click
import pytest

from bloodcell.cli.terminal import progress_bar


def test_a_bar_is_made_when_it_appears(monkeypatch: pytest.MonkeyPatch) -> None:
    """Click takes the time since then for the pace: that of reading is none of storing's."""
    made, bar = [], click.progressbar
    monkeypatch.setattr(click, "progressbar", lambda **options: made.append(options["label"]) or bar(**options))
    with progress_bar("reading") as reading, progress_bar("storing") as storing:
        reading(1, 2)
        reading(2, 2)
        assert made == ["reading"]
        storing(1, 2)
        storing(2, 2)
    assert made == ["reading", "storing"]
