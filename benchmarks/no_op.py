"""Experiments that end at once with a result as a real one leaves it: what a grid run costs beside its trainings."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from benchmarks.photographs import Published
from bloodcell import artifacts
from bloodcell.artifacts import EpochRecord, ExperimentResult, ExperimentSpec, GridRun
from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.data.splits import assign
from bloodcell.evaluation import predictions_table, score
from bloodcell.events import Done, Event
from bloodcell.provenance import code_version, environment
from tasks.plan import Plan
from tasks.runners import Exit

_EPOCHS = 10
_FILE = "predictions.parquet"


@dataclass(frozen=True)
class NoOpRunner:
    """A runner whose experiments have random predictions, all the same, and take no time.

    Attributes:
        published: The dataset; its store is where results go.
    """

    published: Published

    def prepare(self, on_log: Callable[[str], None]) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""

    def run(self, key: str, name: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:  # noqa: ARG002
        """Write the predictions and the result, and say so."""
        store, (predictions, like) = self.published.store, self._made
        store.write(artifacts.experiment(key, _FILE), predictions)
        own = {"key": key, "spec": artifacts.read_spec(store, key)}
        result = like.model_copy(update=own | {"files": {_FILE: hashlib.sha256(predictions).hexdigest()}})
        artifacts.create_model(store, artifacts.experiment(key, "result.json"), result)
        on_event(Done(message=f"{key} is in {store.url}"))
        return Exit(0)

    @cached_property
    def _made(self) -> tuple[bytes, ExperimentResult]:
        """predictions.parquet, and a result like that of every experiment."""
        info = self.published.info
        spec = ExperimentSpec(
            config=ExperimentConfig(), dataset=info.name, dataset_version=info.version, code_version=code_version()
        )
        labels, manifest = self.published.info.labels, self.published.manifest
        split = assign(manifest, ExperimentConfig(), sources_known=True)
        probabilities = np.random.default_rng(0).dirichlet(np.ones(len(labels)), len(manifest)).astype(np.float32)
        predictions = predictions_table(manifest, split, probabilities, labels)
        epochs = range(1, _EPOCHS + 1)
        history = tuple(
            EpochRecord(epoch=epoch, loss=1 / epoch, accuracy=0.5, val_loss=1.0, val_accuracy=0.5, seconds=1.0)
            for epoch in epochs
        )
        return predictions.to_parquet(index=False), ExperimentResult(
            key="",
            spec=spec,
            labels=labels,
            sources_known=True,
            metrics=score(predictions, labels),
            history=history,
            kept_epoch=_EPOCHS,
            learning_seconds=float(_EPOCHS),
            parameters=1,
            finished=datetime.now(UTC),
            environment=environment(device="CPU", threads=1),
            files={},
        )


def grid(published: Published, rows: int) -> GridConfig:
    """A grid of so many rows on a dataset.

    Args:
        published: The dataset.
        rows: At most 1,000.
    """
    return GridConfig(
        name="no-op",
        dataset=published.info.name,
        base={"backbone": "MobileNet", "weights": "none"},
        axes={"dropout": [number / 1000 for number in range(rows)]},
    )


def grid_run(done: Plan, rows: tuple[artifacts.RowOutcome, ...]) -> GridRun:
    """The run of a plan, whose report is still to be made."""
    now = datetime.now(UTC)
    return GridRun(
        run_id=f"{now:%Y%m%dT%H%M%SZ}-000000",
        grid=done.grid,
        dataset=done.dataset.name,
        dataset_version=done.dataset.version,
        code_version=code_version(),
        rows=rows,
        started=now,
        finished=now,
        leakage=done.leakage,
    )
