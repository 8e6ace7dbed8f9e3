from typing import Any

import click
import pytest

from bloodcell.cli.terminal import progress_bar


def test_a_bar_is_made_when_it_appears(monkeypatch: pytest.MonkeyPatch) -> None:
    """Click takes the time since then for the pace: that of reading is none of storing's."""
    made: list[str] = []
    bar = click.progressbar

    def noted(**options: Any) -> Any:
        made.append(options["label"])
        return bar(**options)

    monkeypatch.setattr(click, "progressbar", noted)
    with progress_bar("reading") as reading, progress_bar("storing") as storing:
        reading(1, 2)
        reading(2, 2)
        assert made == ["reading"]
        storing(1, 2)
        storing(2, 2)
    assert made == ["reading", "storing"]
