"""Test accuracy against the notebook's, of a row that learns: the widest of `vs_notebook`, at a larger learning rate.

The study's rates, from 1e-5 to 1e-4, are for more images and epochs than `vs_notebook` has: its rows end near chance,
where two sides agree whatever they do. So both train the row of 32 dense units at so many times its rate; of the
others, with 8 units and dropout, most learn nothing in so few epochs at that rate either. Nothing here is timed.

Each seed, with a split of its own, gives a pair of trainings. The difference is the mean over the pairs, with a 95%
interval.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import click

from benchmarks import options
from benchmarks.comparing import Difference
from benchmarks.competitors import Outcome, Trainings, run_notebook, run_ours
from benchmarks.photographs import Published, photographs, weights_file, write_split
from benchmarks.results import Figure, Row, save
from bloodcell.config import ExperimentConfig
from bloodcell.data.splits import assign


def compare(images: Path, trainings: Trainings, *, seeds: int, work: Path) -> tuple[list[Outcome], list[Outcome], int]:
    """Run both sides once a seed; returns the outcomes of the notebook and of ours, and the number of classes."""
    published = Published.of(images, work / "store")
    theirs, ours = [], []
    for seed in range(seeds):
        config = ExperimentConfig(seed=seed, batch_size=trainings.batch_size)
        split = assign(published.manifest, config, sources_known=published.info.sources_known)
        folders = work / f"split-{seed}"
        write_split(published, split, images, folders)
        theirs.append(run_notebook(folders, trainings, seed, work / f"out-{seed}", onednn=True))
        ours.append(run_ours(images, trainings, seed, work / "home", slots="auto"))
        click.echo(f"seed {seed}: notebook {theirs[-1].accuracy}, ours {ours[-1].accuracy}", err=True)
    return theirs, ours, len(published.info.labels)


def difference(
    theirs: Sequence[Outcome], ours: Sequence[Outcome], classes: int, *, key: str, of: str = ""
) -> tuple[list[Figure], list[str]]:
    """The difference in test accuracy as a figure, and what it means in words; nothing of a single pair.

    Args:
        theirs: The notebook's outcomes, by seed.
        ours: Ours, of the same seeds and rows.
        classes: By which chance is known.
        key: Of the figure.
        of: Of what trainings it is, for its text.
    """
    pairs = [
        (own.accuracy[row], their.accuracy[row])
        for their, own in zip(theirs, ours, strict=True)
        for row in own.accuracy
    ]
    if len(pairs) < 2:
        return [], []
    change = Difference.of(*zip(*pairs, strict=True))
    figure = Figure(
        key=key,
        text=f"test accuracy{of} minus the notebook's, upper end of the 95% interval",
        value=100 * change.high,
        unit="points",
        at_least=0.0,
    )
    verdict = "lower beyond seed noise" if change.high < 0 else "not lower beyond seed noise"
    own, their = (100 * mean(side) for side in zip(*pairs, strict=True))
    note = (
        f"Test accuracy is {100 * change.mean:+.1f} points against the notebook's (95% interval "
        f"{100 * change.low:+.1f} to {100 * change.high:+.1f}, {len(pairs)} pairs): {verdict}. It is "
        f"{own:.1f}% in the mean against {their:.1f}%, where chance is {100 / classes:.0f}%: the nearer to that, the "
        "less this says."
    )
    return [figure], [note]


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
@click.option("--count", default=2000, show_default=True, help="Images, in the archive's proportions.")
@click.option("--width", default=0.25, show_default=True, help="Keras's alpha.")
@click.option("--side", default=128, show_default=True, help="Of the images, in pixels.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.option("--times", default=30.0, show_default=True, help="So many times its learning rate has each row.")
@click.option("--seeds", default=6, show_default=True, help="Trainings of each row on each side.")
@click.option("--row", "names", multiple=True, default=("dense-32",), show_default=True, help="One of the seven.")
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
        settings=vars(trainings)
        | {
            "weights": trainings.weights.name if trainings.weights else "none",
            "rows": list(names),
            "seeds": seeds,
        },
        figures=found,
        rows=_rows(theirs, ours),
        notes=notes,
    )


if __name__ == "__main__":
    main()
