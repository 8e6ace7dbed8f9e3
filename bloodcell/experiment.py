"""One experiment, from its key to its result: download, train, evaluate, upload.

What computes is in the modules that `bloodcell.provenance` hashes into the key; here they are called in order.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from bloodcell import artifacts
from bloodcell.artifacts import SPLITS, ExperimentResult, ExperimentSpec, SplitMetrics
from bloodcell.batch_norm import own_kernel
from bloodcell.checkpoints import Checkpoints
from bloodcell.config import ExperimentConfig
from bloodcell.data import splits
from bloodcell.data.cache import decoded_images
from bloodcell.data.dataset import DatasetInfo, read_info
from bloodcell.data.manifest import read_manifest
from bloodcell.data.pipeline import Examples
from bloodcell.errors import BloodcellError, ConfigError
from bloodcell.evaluation import predictions_table, score
from bloodcell.events import WARNING, Done, NowAndThen, emit, say
from bloodcell.explanations import explanations
from bloodcell.files import exclusive, scratch, sha256_of, storage_errors
from bloodcell.formatting import setting_text
from bloodcell.interruption import Interruption
from bloodcell.lease import Lease, leased
from bloodcell.model import save_model, seeded_model
from bloodcell.provenance import code_version, environment
from bloodcell.report import plots
from bloodcell.report.cells import by_cell, cell_counts
from bloodcell.report.confusion import matrices
from bloodcell.resumption import Resumption
from bloodcell.settings import Settings
from bloodcell.store import Store
from bloodcell.training import predict, set_up
from bloodcell.training_loop import Training
from bloodcell.weights import check_weights, fetch_weights


def run_experiment(store: Store, key: str, settings: Settings, interruption: Interruption) -> None:
    """Train and evaluate the experiment whose config.json lies under `key`, and write its result there.

    One that was interrupted is gone on with, one that another process trains is waited for, and one that has a result
    is left as it is.

    Args:
        store: Where it is.
        key: The experiment.
        settings: Of this machine.
        interruption: Whether to stop: while the model trains, after it was saved.

    Raises:
        BloodcellError: The branch of the tree tells whether it is worth trying again.
    """
    is_done = partial(artifacts.is_done, store, key)
    if not is_done():
        spec = artifacts.read_spec(store, key)
        _check_code(spec)
        with leased(store, key, seconds=settings.lease, interruption=interruption, is_done=is_done, say=say) as lease:
            if lease is not None:
                _run(store, spec, settings, interruption, lease)
                _clear(store, key, lease)
                return
    _clear(store, key, Lease(store, key, settings.lease, interruption))  # of who was killed before it could
    emit(Done(message=f"{key} already has a result"))


def _clear(store: Store, key: str, lease: Lease) -> None:
    """Remove what is of no use to an experiment that has its result."""
    try:
        Checkpoints(store, key).clear()
        lease.clear()
    except BloodcellError as error:  # it takes space, and does no harm
        say(f"{WARNING}checkpoints could not be removed: {error.problem}")


def _run(store: Store, spec: ExperimentSpec, settings: Settings, interruption: Interruption, lease: Lease) -> None:
    key, config = spec.key, spec.config
    device = set_up(config.seed, settings.threads_per_experiment, settings.gpu_memory)
    info, manifest, examples = _load(store, spec, settings)
    weights = fetch_weights(store, config, settings.cache)
    if weights is not None:
        check_weights(weights, config.weights)
    # Keras's download of ImageNet weights is not safe side by side.
    with exclusive(settings.cache / "model.lock") if config.weights == "imagenet" else nullcontext(), lease.quiet():
        model = seeded_model(config, len(info.labels), weights)
    resumption = Resumption(Checkpoints(store, key), 60 * settings.checkpoint_minutes, interruption, lease)
    training = resumption.train(model, config, examples)
    say("scoring every split")
    rows = examples.rows(*SPLITS)
    probabilities = predict(model, config, examples, on_step=_sign_of_life())
    predictions = predictions_table(manifest.iloc[rows], examples.split.iloc[rows], probabilities, info.labels)
    metrics = score(predictions, info.labels)
    provenance = _environment(spec, device, settings) | {"own_kernel": own_kernel(model, device)}
    if artifacts.is_done(store, key):  # before its files would be written over
        emit(_dropped(key))
        return
    title = _title(config, info)
    files = _tables(training, predictions, metrics, provenance) | _charts(title, info, training, predictions, metrics)
    say("drawing the errors, and where the network looks")
    files |= explanations(model, examples.images, predictions.set_index(rows), info.labels, title)
    result = ExperimentResult(
        key=key,
        spec=spec,
        labels=info.labels,
        sources_known=info.sources_known,
        metrics=metrics,
        history=training.history,
        kept_epoch=training.kept_epoch,
        learning_seconds=training.seconds,
        parameters=model.count_params(),
        finished=datetime.now(UTC),
        environment=provenance,
        files=_upload(store, key, files, lease) | _upload_model(store, key, model, settings.cache, lease),
    )
    committed = artifacts.create_model(store, artifacts.experiment(key, "result.json"), result)
    emit(Done(message=f"{key} is in {store.url}") if committed else _dropped(key))


def _sign_of_life() -> Callable[[int], None]:
    """To be called with every batch that is scored; it says now and then how many were."""
    alive = NowAndThen()

    def on_step(step: int) -> None:
        if alive.is_due():
            say(f"scored {step:,} batches")

    return on_step


def _title(config: ExperimentConfig, info: DatasetInfo) -> str:
    """Of the pictures: what tells an experiment from others of most grids. It knows no row, as several may be its."""
    note = " (synthetic images)" if info.synthetic else ""
    rate = setting_text(config, "learning_rate")
    return f"{config.architecture}, learning\N{NO-BREAK SPACE}rate\N{NO-BREAK SPACE}{rate}, seed {config.seed}{note}"


def _dropped(key: str) -> Done:
    return Done(message=f"{key} got a result from another run meanwhile; this one is dropped")


def _check_code(spec: ExperimentSpec) -> None:
    if spec.code_version != code_version():
        raise ConfigError(
            f"experiment {spec.key} was planned for code {spec.code_version}; the code here is {code_version()}",
            remedy="run orchestrator and experiment from the same version of this project",
        )


def _load(store: Store, spec: ExperimentSpec, settings: Settings) -> tuple[DatasetInfo, pd.DataFrame, Examples]:
    info = read_info(store, f"{spec.dataset}@{spec.dataset_version}")
    manifest = read_manifest(store, info)
    split = splits.assign(manifest, spec.config, sources_known=info.sources_known)
    images = decoded_images(
        store,
        info,
        manifest,
        spec.config.side,
        cache=settings.cache,
        limit=settings.cache_limit_bytes,
        say=say,
    )
    return info, manifest, Examples.of(manifest, info.labels, split, images)


def _environment(spec: ExperimentSpec, device: str, settings: Settings) -> dict[str, Any]:
    return environment(device=device, threads=settings.threads_per_experiment) | {
        "dataset": spec.dataset,
        "dataset_version": spec.dataset_version,
        "seed": spec.config.seed,
    }


def _tables(
    training: Training, predictions: pd.DataFrame, metrics: dict[str, SplitMetrics], provenance: dict[str, Any]
) -> dict[str, bytes]:
    history = pd.DataFrame([record.model_dump() for record in training.history])
    return {
        "history.csv": history.to_csv(index=False).encode(),
        "predictions.parquet": predictions.to_parquet(index=False),
        "metrics.json": _json({split: metric.model_dump() for split, metric in metrics.items()}),
        "environment.json": _json(provenance),
    }


def _charts(
    title: str, info: DatasetInfo, training: Training, predictions: pd.DataFrame, metrics: dict[str, SplitMetrics]
) -> dict[str, bytes]:
    cells = by_cell(cell_counts(predictions, info.labels)["test"].confusion) if info.sources_known else None
    return {
        "plots/curves.png": plots.curves([training.history], title),
        "plots/confusion.png": matrices(metrics["test"].confusion, info.labels, title, cells),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _upload(store: Store, key: str, files: dict[str, bytes], lease: Lease) -> dict[str, str]:
    """Write the artifacts and return the SHA-256 of each."""
    for name, content in files.items():
        lease.verify()  # else it might be written over another's, which a result names
        store.write(artifacts.experiment(key, name), content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _upload_model(store: Store, key: str, model: keras.Model, cache: Path, lease: Lease) -> dict[str, str]:
    with storage_errors("model.keras", str(cache), "BLOODCELL_CACHE"), scratch(cache / "scratch") as folder:
        path = folder / "model.keras"
        save_model(model, path)
        lease.verify()
        store.upload(path, artifacts.experiment(key, path.name))
        return {path.name: sha256_of(path)}
