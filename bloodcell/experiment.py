"""One experiment, from its key to its result: download, train, evaluate, upload."""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from bloodcell import artifacts
from bloodcell.artifacts import EpochRecord, ExperimentResult, ExperimentSpec, SplitMetrics
from bloodcell.data import dataset, pipeline, splits
from bloodcell.data.dataset import DatasetInfo
from bloodcell.evaluation import predictions_table, score
from bloodcell.events import Done, Epoch, Step, emit
from bloodcell.model import build_model
from bloodcell.provenance import environment
from bloodcell.report import plots
from bloodcell.settings import Settings
from bloodcell.store import Store
from bloodcell.store.local import translated
from bloodcell.training import Training, fit
from bloodcell.weights import fetch_weights

_EVALUATION_BATCH = 128


@dataclass(frozen=True)
class _Data:
    """Decoded images and what is known of each; all of one length."""

    info: DatasetInfo
    manifest: pd.DataFrame
    split: pd.Series
    images: pipeline.Images
    labels: npt.NDArray[np.int32]

    def rows(self, *names: str) -> npt.NDArray[np.int64]:
        """Numbers of the images in the named splits."""
        return np.flatnonzero(self.split.isin(names))


def run_experiment(store: Store, key: str, settings: Settings) -> None:
    """Train and evaluate the experiment whose config.json lies under `key`, and write its result there.

    An experiment that has a result is left as it is.

    Raises:
        BloodcellError: The branch of the tree tells whether it is worth trying again.
    """
    if artifacts.is_done(store, key):
        emit(Done(message=f"{key} already has a result"))
        return
    spec = artifacts.read_spec(store, key)
    device = _set_up(spec, settings)
    data = _load(store, spec, settings.cache)
    weights = fetch_weights(store, spec.config, settings.cache)
    model = build_model(spec.config, len(data.info.labels), weights)
    training = _train(model, spec, data)
    emit(Step(message="scoring every split"))
    predictions = _predict(model, data)
    metrics = score(predictions, data.info.labels)
    provenance = _environment(spec, device, settings)
    title = spec.config.architecture + (" (synthetic images)" if data.info.synthetic else "")
    files = _rendered(title, training, predictions, metrics, provenance)
    digests = _upload(store, key, files) | _upload_model(store, key, model, settings.cache)
    result = ExperimentResult(
        key=key,
        spec=spec,
        labels=data.info.labels,
        sources_known=data.info.sources_known,
        metrics=metrics,
        history=training.history,
        learning_seconds=training.seconds,
        parameters=model.count_params(),
        finished=datetime.now(UTC),
        environment=provenance,
        files=digests,
    )
    artifacts.write_model(store, artifacts.experiment(key, "result.json"), result)
    emit(Done(message=f"{key} is in {store.url}"))


def _set_up(spec: ExperimentSpec, settings: Settings) -> str:
    """Seed everything, set the threads, and name the device that will compute."""
    keras.utils.set_random_seed(spec.config.seed)
    tf.config.threading.set_intra_op_parallelism_threads(settings.threads_per_experiment)
    tf.config.threading.set_inter_op_parallelism_threads(settings.threads_per_experiment)
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    # Costs some 5% on a CPU; on a GPU some operations have no deterministic form.
    tf.config.experimental.enable_op_determinism()
    return "CPU"


def _load(store: Store, spec: ExperimentSpec, cache: Path) -> _Data:
    info = dataset.read_info(store, f"{spec.dataset}@{spec.dataset_version}")
    manifest = dataset.read_manifest(store, info)
    split = splits.assign(manifest, spec.config, sources_known=info.sources_known)
    side = spec.config.side

    def on_miss() -> None:
        emit(Step(message=f"decoding {info.images} images to {side} x {side} px, once for this machine"))

    images = pipeline.decoded_images(store, info, manifest, side, cache=cache, on_miss=on_miss)
    labels = manifest["label"].map(info.labels.index).to_numpy(np.int32)
    return _Data(info, manifest, split, images, labels)


def _train(model: keras.Model, spec: ExperimentSpec, data: _Data) -> Training:
    config = spec.config
    train, validation = data.rows("train"), data.rows("validation")
    emit(Step(message=f"training {config.architecture} on {len(train)} images, validating on {len(validation)}"))

    def on_epoch(record: EpochRecord) -> None:
        emit(Epoch(epochs=config.epochs, **record.model_dump()))

    return fit(
        model,
        config,
        pipeline.training_batches(
            data.images, data.labels, train, batch_size=config.batch_size, epochs=config.epochs, seed=config.seed
        ),
        pipeline.evaluation_batches(data.images, data.labels, validation, batch_size=_EVALUATION_BATCH),
        steps=-(-len(train) // config.batch_size),
        on_epoch=on_epoch,
    )


def _predict(model: keras.Model, data: _Data) -> pd.DataFrame:
    rows = data.rows("train", "validation", "test", "seen")
    batches = pipeline.evaluation_batches(data.images, data.labels, rows, batch_size=_EVALUATION_BATCH)
    probabilities = model.predict(batches, verbose=0)
    return predictions_table(data.manifest.iloc[rows], data.split.iloc[rows], probabilities, data.info.labels)


def _environment(spec: ExperimentSpec, device: str, settings: Settings) -> dict[str, Any]:
    return environment(device=device, threads=settings.threads_per_experiment) | {
        "dataset": spec.dataset,
        "dataset_version": spec.dataset_version,
        "seed": spec.config.seed,
    }


def _rendered(
    title: str,
    training: Training,
    predictions: pd.DataFrame,
    metrics: dict[str, SplitMetrics],
    provenance: dict[str, Any],
) -> dict[str, bytes]:
    """Every artifact but the model and the result, by file name."""
    history = pd.DataFrame([record.model_dump() for record in training.history])
    return {
        "history.csv": history.to_csv(index=False).encode(),
        "predictions.parquet": predictions.to_parquet(index=False),
        "metrics.json": _json({split: metric.model_dump() for split, metric in metrics.items()}),
        "environment.json": _json(provenance),
        "plots/curves.png": plots.curves(training.history, title),
        "plots/confusion.png": plots.confusion(metrics["test"], title),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _upload(store: Store, key: str, files: dict[str, bytes]) -> dict[str, str]:
    """Write the artifacts and return the SHA-256 of each."""
    for name, content in files.items():
        store.write(artifacts.experiment(key, name), content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _upload_model(store: Store, key: str, model: keras.Model, cache: Path) -> dict[str, str]:
    with translated("model.keras", str(cache)), tempfile.TemporaryDirectory(dir=cache) as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        store.upload(path, artifacts.experiment(key, path.name))
        with path.open("rb") as file:
            return {path.name: hashlib.file_digest(file, "sha256").hexdigest()}
