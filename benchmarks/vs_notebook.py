"""Seven rows of MobileNet on the Kaggle images: this project against the notebook that it replaces, in wall-clock.

Both train the same rows on the same images in the same split, with the same weights, batch size, epochs and seed. The
notebook is `benchmarks/notebook.py`, one process on images that lie in folders. Ours is what a user types, all of it
counted: `bloodcell data push` of the images, then `python -m flows.grid` with Prefect's temporary server, a process for
each experiment, the figures of every split, the pictures of errors, and the report.

On processors for which TensorFlow leaves the kernels of oneDNN off, those without AVX-512 VNNI, the notebook has none,
and ours has: so the notebook also runs with `TF_ENABLE_ONEDNN_OPTS=1`, as an informed user might set it.

Each round has a seed of its own, and an empty store and cache; the sides change their order from round to round.
The first round is a machine's first: it calibrates how many experiments share the cores, and makes Prefect's database.
Later rounds remember both. Accuracy is on the images of TEST. Its difference is a mean over pairs of trainings, of one
row and one seed each, with a 95% interval. Pairs of a seed share their split, so that the interval is rather too
narrow: one that is below zero is taken for an accuracy that is lower beyond seed noise. `notebook_accuracy` compares
one of the rows at a rate at which so few epochs teach it more.

How long a training waited for its next batch is what the report shows of each: of all trainings of ours, the largest
fraction is taken.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import click

from benchmarks import notebook, options
from benchmarks.competitors import Outcome, Trainings, difference, run_notebook, run_ours, write_split_of
from benchmarks.photographs import Published, photographs, weights_file
from benchmarks.results import Figure, Row, save

AT_MOST = 0.55
"""Bar of our wall-clock over the notebook's."""

WAITED_AT_MOST = 2.0
"""Bar of the time in which a training waits for data, in percent of its learning time."""


class Round(NamedTuple):
    """What became of each side with one seed."""

    notebook: Outcome
    onednn: Outcome
    ours: Outcome


def compare(images: Path, trainings: Trainings, *, seeds: int, slots: str, work: Path) -> tuple[list[Round], int]:
    """Run all sides once a seed; returns a round for each, and the number of classes."""
    published = Published.of(images, work / "store")
    rounds = []
    for seed in range(seeds):
        folders = write_split_of(published, images, trainings, seed, work / f"split-{seed}")
        sides: dict[str, Callable[[], Outcome]] = {
            "notebook": partial(run_notebook, folders, trainings, seed, work / f"out-{seed}"),
            "onednn": partial(run_notebook, folders, trainings, seed, work / f"onednn-{seed}", onednn=True),
            "ours": partial(run_ours, images, trainings, seed, work / "home", slots),
        }
        outcomes = {name: sides[name]() for name in list(sides)[:: -1 if seed % 2 else 1]}
        rounds.append(Round(**outcomes))
        took = ", ".join(f"{name} {outcome.seconds:.1f} s" for name, outcome in outcomes.items())
        click.echo(f"seed {seed}: {took}", err=True)
    return rounds, len(published.info.labels)


def figures(rounds: list[Round], classes: int) -> tuple[list[Figure], list[str]]:
    """The ratios and the difference in accuracy, and what they mean in words."""
    ratios = [each.ours.seconds / each.notebook.seconds for each in rounds]
    to_onednn = [each.ours.seconds / each.onednn.seconds for each in rounds]
    rows = f"{len(rounds[0].ours.accuracy)} rows"
    found = []
    for key, whose, bar, each in (
        ("notebook", "the notebook's", AT_MOST, ratios),
        ("notebook-onednn", "that of a notebook with oneDNN", None, to_onednn),
    ):
        first, *later = each
        text = f"wall-clock over {whose}, {rows}"
        found.append(Figure(key=f"{key}-first", text=f"{text}, first run", value=first, unit="x", at_most=bar))
        if later:
            found.append(Figure(key=key, text=f"{text}, later runs", value=median(later), unit="x", at_most=bar))
    waits = [waited for each in rounds for waited in each.ours.waited.values()]
    found.append(
        Figure(
            key="waiting",
            text=f"learning time spent waiting for data, the most of {len(waits)} trainings",
            value=100 * max(waits),
            unit="%",
            at_most=WAITED_AT_MOST,
        )
    )
    theirs, ours = [each.notebook for each in rounds], [each.ours for each in rounds]
    compared, notes = difference(theirs, ours, classes, key="notebook-accuracy")
    return [*found, *compared], notes


def _rows(rounds: list[Round]) -> list[Row]:
    def mean_accuracy(outcome: Outcome) -> float:
        return round(100 * mean(outcome.accuracy.values()), 1)

    return [
        {
            "seed": seed,
            "notebook, s": round(theirs.seconds, 1),
            "notebook with oneDNN, s": round(onednn.seconds, 1),
            "ours, s": round(ours.seconds, 1),
            "ratio": round(ours.seconds / theirs.seconds, 2),
            "ratio to it with oneDNN": round(ours.seconds / onednn.seconds, 2),
            "notebook, mean test accuracy %": mean_accuracy(theirs),
            "ours, mean test accuracy %": mean_accuracy(ours),
            "ours, waited %": " ".join(f"{100 * waited:.2f}" for waited in ours.waited.values()),
        }
        for seed, (theirs, onednn, ours) in enumerate(rounds)
    ]


@click.command(help=__doc__)
@options.data
@options.weights
@options.trainings
@click.option("--seeds", default=3, show_default=True, help="Rounds, each with a seed of its own.")
@click.option("--row", "names", multiple=True, default=tuple(notebook.ROWS), help="One of the seven; all otherwise.")
@click.option("--slots", default="auto", show_default=True, help="BLOODCELL_SLOTS of our side.")
@options.results
def main(
    *,
    data: Path | None,
    weights: Path | None,
    count: int,
    seeds: int,
    slots: str,
    folder: Path,
    width: float,
    side: int,
    batch_size: int,
    epochs: int,
    names: tuple[str, ...],
) -> None:
    """Compare the sides and save the figures."""
    trainings = Trainings(names, width, side, batch_size, epochs, weights_file(weights, width))
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        rounds, classes = compare(chosen, trainings, seeds=seeds, slots=slots, work=Path(temporary))
    found, notes = figures(rounds, classes)
    save(
        "vs_notebook",
        __doc__,
        folder,
        images=images,
        settings=trainings.settings | {"seeds": seeds, "slots": slots},
        figures=found,
        rows=_rows(rounds),
        notes=notes,
    )


if __name__ == "__main__":
    main()
