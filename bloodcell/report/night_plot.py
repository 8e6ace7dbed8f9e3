"""The test accuracy of every training over the nights."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bloodcell.artifacts import ExperimentResult
from bloodcell.formatting import counted
from bloodcell.report.nights import Expected, Trainings
from bloodcell.report.style import INK, RULE, dress, percent, png

_MOST = 24
"""Panels that a picture has room for."""

_COLUMNS = 4
_TEST, _WORSE = "#009E73", "#D55E00"  # of Okabe and Ito
_BAND = "#EEF3F1"


def night_plot(
    tonight: Trainings, earlier: Trainings, expectations: Mapping[str, Expected], worse: frozenset[str], title: str
) -> bytes:
    """A panel a row: each training in its turn, tonight's filled, and where they were to be expected.

    Args:
        tonight: The night's trainings, by row; rows that have none are not shown, nor those beyond what has room, of
            which the title says how many they are.
        earlier: Those before it.
        expectations: Where a training of tonight was to be expected, by row.
        worse: Rows that are worse tonight; they come first.
        title: Printed above.
    """
    trained = [row for row, results in tonight.items() if results or earlier.get(row)]
    rows = sorted(trained, key=lambda row: row not in worse)[:_MOST]
    columns = min(_COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(max(3.2, 2.1 * columns), 0.6 + 1.5 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axes, row in zip(panels, rows, strict=False):
        _panel(axes, tonight[row], earlier.get(row, ()), expectations.get(row), _WORSE if row in worse else _TEST)
        axes.set_title(row, fontsize=8, color=INK, parse_math=False)
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    percent(panels[0])
    left_out = len(trained) - len(rows)
    return png(figure, f"{title}\n{counted(left_out, 'row')} left out" if left_out else title)


def _panel(
    axes: Axes,
    tonight: Sequence[ExperimentResult],
    earlier: Sequence[ExperimentResult],
    expectation: Expected | None,
    colour: str,
) -> None:
    if expectation:
        axes.axhspan(expectation.low, expectation.high, color=_BAND, zorder=0)
        axes.axhline(expectation.mean, color=RULE, linewidth=1, zorder=1)
    for results, first, face in ((earlier, 1, "white"), (tonight, 1 + len(earlier), colour)):
        accuracies = [result.metrics["test"].accuracy for result in results]
        places = range(first, first + len(results))
        axes.plot(places, accuracies, "D", markersize=4.5, color=colour, markerfacecolor=face, markeredgewidth=1.2)
    dress(axes, x="", y="")
    results = [*earlier, *tonight]
    ends = {1: results[0].finished, len(results): results[-1].finished}
    axes.set_xticks(list(ends), _time_labels(list(ends.values())))
    axes.set_xlim(0.4, len(results) + 0.6)


def _time_labels(times: Sequence[datetime]) -> list[str]:
    """Dates; where these do not tell the times apart, with what does: the year, or the time of day."""
    labels: list[str] = []
    for form in ("%d %b", "%d %b\n%Y", "%d %b\n%H:%M"):
        labels = [f"{time:{form}}" for time in times]
        if len(set(labels)) == len(times):
            break
    return labels
