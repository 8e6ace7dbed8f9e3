from dataclasses import replace

import pytest

from bloodcell.report import plots
from bloodcell.report.charts import MOST_NAMES, drawings_of
from bloodcell.report.rows import finished


@pytest.mark.parametrize(("count", "named"), [(MOST_NAMES, True), (MOST_NAMES + 1, False)])
def test_the_comparison_names_as_many_rows_as_there_is_room_for(study, monkeypatch, count, named):
    row = finished(study.rows)[0]
    outcomes = [row.outcomes[0].model_copy(update={"name": f"row-{number}"}) for number in range(count)]
    drawing = drawings_of(tuple(replace(row, outcomes=(outcome,)) for outcome in outcomes), "")
    said = []
    monkeypatch.setattr(plots, "comparison", lambda *_, named: said.append(named) or b"")
    comparison = drawing["plots/comparison.png"]
    comparison.draw(*comparison.arguments)
    assert said == [named]
