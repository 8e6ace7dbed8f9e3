"""The notebook and this project, each as a user starts it, and how their accuracies differ."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.comparing import Difference
from benchmarks.measuring import run_command
from benchmarks.photographs import Published, write_split
from benchmarks.results import Figure
from bloodcell.artifacts import GridRun, LatestRun, grid_run, latest_grid_run, read_model, read_result
from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.data.splits import assign
from bloodcell.grids import load_grid
from bloodcell.store import LocalStore

GRID, DATASET = "mobilenet", "compared"

_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


@dataclass(frozen=True)
class Trainings:
    """What both sides train.

    Attributes:
        rows: Of the grid.
        side: Of the images, in pixels.
        weights: File of the backbone's weights; None for random ones.
        times: So many times the study's learning rate has each row.
    """

    rows: tuple[str, ...]
    width: float
    side: int
    batch_size: int
    epochs: int
    weights: Path | None
    times: float = 1.0

    @property
    def settings(self) -> dict[str, Any]:
        """As the page names them."""
        weights = self.weights.name if self.weights else "none"
        return vars(self) | {"weights": weights, "rows": list(self.rows)}


@dataclass(frozen=True)
class Outcome:
    """What became of a side.

    Attributes:
        seconds: Wall-clock.
        accuracy: On the test, by row.
        waited: The fraction of its learning time in which a row waited for data, by row; nobody knows a notebook's.
    """

    seconds: float
    accuracy: Mapping[str, float]
    waited: Mapping[str, float] = field(default_factory=dict)


def write_split_of(published: Published, images: Path, trainings: Trainings, seed: int, folder: Path) -> Path:
    """Lay out the split that a seed makes as the notebook reads it; returns the folder."""
    config = ExperimentConfig(seed=seed, batch_size=trainings.batch_size)
    split = assign(published.manifest, config, sources_known=published.info.sources_known)
    write_split(published, split, images, folder)
    return folder


def run_notebook(images: Path, trainings: Trainings, seed: int, out: Path, *, onednn: bool = False) -> Outcome:
    """Train the rows as the notebook does, on the folders train, validation and test.

    Args:
        images: The folder of these.
        trainings: What to train.
        seed: Of all rows.
        out: Folder for what the notebook leaves.
        onednn: Whether TensorFlow is asked for the kernels of oneDNN.
    """
    command = ["-m", "benchmarks.notebook", str(images), "--out", str(out), "--seed", str(seed)]
    command += ["--width", str(trainings.width), "--side", str(trainings.side), "--epochs", str(trainings.epochs)]
    command += ["--batch-size", str(trainings.batch_size), "--times", str(trainings.times)]
    command += ["--weights", str(trainings.weights)] if trainings.weights else []
    command += [part for row in trainings.rows for part in ("--row", row)]
    as_it_comes = {name: value for name, value in os.environ.items() if name != _ONEDNN}
    cost = run_command(command, as_it_comes | ({_ONEDNN: "1"} if onednn else {}))
    table = json.loads((out / "figures.json").read_text())
    return Outcome(cost.seconds, {row: figures["accuracy"] for row, figures in table.items()})


def run_ours(images: Path, trainings: Trainings, seed: int, home: Path, slots: str) -> Outcome:
    """Push the images and run the grid, in an empty store and with no image in the cache.

    Args:
        images: The folder of images.
        trainings: What to train.
        seed: Of all rows.
        home: Folder of the store, the cache and Prefect's database; what it holds from earlier rounds is remembered,
            but for the store and the images.
        slots: BLOODCELL_SLOTS.
    """
    for stale in (home / "store", home / "cache" / "images", home / "cache" / "weights"):
        shutil.rmtree(stale, ignore_errors=True)
    store = LocalStore(home / "store")
    own = ("BLOODCELL_", "PREFECT_", _ONEDNN)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    environment |= {
        "BLOODCELL_STORE": store.url,
        "BLOODCELL_CACHE": str(home / "cache"),
        "BLOODCELL_SLOTS": slots,
        "PREFECT_HOME": str(home / "prefect"),
    }
    settings = {
        "width": trainings.width,
        "image_size": trainings.side,
        "batch_size": trainings.batch_size,
        "epochs": trainings.epochs,
        "seed": seed,
        "weights": trainings.weights or "none",
    }
    command = ["-m", "flows.grid", "--grid", _grid(trainings, home), "--dataset", DATASET]
    command += [part for field, value in settings.items() for part in ("--set", f"{field}={value}")]
    push = run_command(["-m", "bloodcell", "data", "push", str(images), "--name", DATASET], environment)
    grid = run_command(command, environment)
    latest = read_model(store, latest_grid_run(GRID), LatestRun)
    run = read_model(store, grid_run(GRID, latest.run_id, "grid.json"), GridRun)
    results = {row.name: read_result(store, row.key) for row in run.rows}
    return Outcome(
        push.seconds + grid.seconds,
        {name: result.metrics["test"].accuracy for name, result in results.items()},
        {name: waited for name, result in results.items() if (waited := result.waiting_fraction) is not None},
    )


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
        text=f"test accuracy{of} minus the notebook's (95% interval)",
        value=100 * change.mean,
        interval=(100 * change.low, 100 * change.high),
        unit="points",
        at_least=0.0,
    )
    verdict = "lower beyond seed noise" if change.high < 0 else "not lower beyond seed noise"
    own, their = (100 * mean(side) for side in zip(*pairs, strict=True))
    note = (
        f"Test accuracy is {100 * change.mean:+.1f} points against the notebook's (95% interval "
        f"{100 * change.low:+.1f} to {100 * change.high:+.1f}, {len(pairs)} pairs): {verdict}. It is "
        f"{own:.1f}% in the mean against {their:.1f}%, where chance is {100 / classes:.0f}%: the nearer to that, the "
        f"less this says. A difference of less than {50 * (change.high - change.low):.1f} points could not be told "
        "from noise."
    )
    return [figure], [note]


def _grid(trainings: Trainings, folder: Path) -> str:
    """The shipped grid, or a file with some of its rows, or with other learning rates."""
    shipped = load_grid(GRID)
    experiments = shipped.experiments or {}
    if trainings.rows == tuple(experiments) and trainings.times == 1:
        return GRID
    rates = {row.name: row.config.learning_rate * trainings.times for row in shipped.rows}
    rows = {row: experiments[row] | {"learning_rate": rates[row]} for row in trainings.rows}
    some: GridConfig = shipped.model_copy(update={"experiments": rows})
    path = folder / "some.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(some.model_dump_json(exclude_none=True))  # JSON is YAML
    return str(path)
