"""Test accuracy against the notebook's, of a row that learns: the widest of `vs_notebook`, at a larger learning rate.

The study's rates, from 1e-5 to 1e-4, are for more images and epochs than `vs_notebook` has: its rows end near chance,
where two sides agree whatever they do. So both train the row of 32 dense units at so many times its rate. Nothing here
is timed.

Each seed gives a pair of trainings of a row, with a division of its own into training and validation; all are tested on
the same images. The difference is the mean over the pairs, with a 95% interval over seeds, not over test images.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks import options
from benchmarks.competitors import Outcome, Trainings, difference, run_notebook, run_ours, write_split_of
from benchmarks.photographs import Published, photographs, weights_file
from benchmarks.results import Row, save


def compare(images: Path, trainings: Trainings, *, seeds: int, work: Path) -> tuple[list[Outcome], list[Outcome], int]:
    """Run both sides once a seed; returns the outcomes of the notebook and of ours, and the number of classes."""
    published = Published.of(images, work / "store")
    theirs, ours = [], []
    for seed in range(seeds):
        folders = write_split_of(published, images, trainings, seed, work / f"split-{seed}")
        theirs.append(run_notebook(folders, trainings, seed, work / f"out-{seed}", onednn=True))
        ours.append(run_ours(images, trainings, seed, work / "home", slots="auto"))
        click.echo(f"seed {seed}: notebook {theirs[-1].accuracy}, ours {ours[-1].accuracy}", err=True)
    return theirs, ours, len(published.info.labels)


def _rows(theirs: Sequence[Outcome], ours: Sequence[Outcome]) -> list[Row]:
    return [
        {
            "seed": seed,
            "row": row,
            "notebook, test accuracy %": round(100 * their.accuracy[row], 1),
            "ours, test accuracy %": round(100 * own.accuracy[row], 1),
            "ours minus the notebook's, points": round(100 * (own.accuracy[row] - their.accuracy[row]), 1),
        }
        for seed, (their, own) in enumerate(zip(theirs, ours, strict=True))
        for row in own.accuracy
    ]


@click.command(help=__doc__)
@options.data
@options.weights
@options.trainings
@click.option("--times", default=30.0, show_default=True, help="So many times its learning rate has each row.")
@click.option("--seeds", default=12, show_default=True, help="Trainings of each row on each side.")
@click.option(
    "--row",
    "names",
    multiple=True,
    default=("dense-32",),
    show_default=True,
    help="One of the seven; the pairs of several share a seed, so that the interval is too narrow.",
)
@options.results
def main(
    *,
    data: Path | None,
    weights: Path | None,
    count: int,
    times: float,
    seeds: int,
    folder: Path,
    width: float,
    side: int,
    batch_size: int,
    epochs: int,
    names: tuple[str, ...],
) -> None:
    """Compare both sides and save the figures."""
    trainings = Trainings(names, width, side, batch_size, epochs, weights_file(weights, width), times)
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        theirs, ours, classes = compare(chosen, trainings, seeds=seeds, work=Path(temporary))
    found, notes = difference(theirs, ours, classes, key="learning-accuracy", of=" of a row that learns")
    save(
        "notebook_accuracy",
        __doc__,
        folder,
        images=images,
        settings=trainings.settings | {"seeds": seeds},
        figures=found,
        rows=_rows(theirs, ours),
        notes=notes,
    )


if __name__ == "__main__":
    main()
