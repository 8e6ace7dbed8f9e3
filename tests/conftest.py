import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image
from prefect.testing.utilities import prefect_test_harness

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo, read_info
from bloodcell.data.ingest import push
from bloodcell.provenance import code_version
from bloodcell.settings import Settings
from bloodcell.store import LocalStore

# As in `bloodcell run`, of which some tests run the experiment in their own process.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("any machine")


def pytest_configure() -> None:
    """Take Ctrl-C, also where a shell that runs the tests in the background has them ignore it.

    What is ignored is inherited, and Prefect's worker, which stops by sending itself one, would never stop.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


COLOURS = {"EOSINOPHIL": (200, 60, 60), "LYMPHOCYTE": (60, 60, 200), "MONOCYTE": (60, 200, 60)}


def draw_colours(root: Path, *, train: int, test: int) -> None:
    """Draw so many images of each class."""
    rng = np.random.default_rng(1)
    for declared, count in {"TRAIN": train, "TEST": test}.items():
        for label, colour in COLOURS.items():
            folder = root / declared / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(rng.normal(colour, 40, (30, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"_{number}.jpeg")


def name_cells(root: Path) -> None:
    """Give each four images of a class one source."""
    lines = ["path,source"]
    for image in sorted(root.glob("*/*/*.jpeg")):
        declared, label = image.parts[-3:-1]
        cell = int(image.stem.removeprefix("_")) // 4
        lines.append(f"{declared}/{label}/{image.name},{declared.lower()}-{label}-{cell}")
    (root / "sources.csv").write_text("\n".join(lines))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture(scope="session")
def coloured_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that differ in colour: 24 images of each in TRAIN, 8 in TEST, 40 x 30 px."""
    root = tmp_path_factory.mktemp("coloured")
    draw_colours(root, train=24, test=8)
    return root


@pytest.fixture
def coloured(store: LocalStore, coloured_folder: Path) -> DatasetInfo:
    """The coloured set in the store, as dataset `coloured`."""
    return push(store, coloured_folder, name="coloured")


@pytest.fixture
def celled(store: LocalStore, coloured_folder: Path, tmp_path: Path) -> DatasetInfo:
    """The coloured set with its source cells named, four images of each, as dataset `celled`."""
    folder = shutil.copytree(coloured_folder, tmp_path / "celled")
    name_cells(folder)
    return push(store, folder, name="celled")


@pytest.fixture
def small() -> ExperimentConfig:
    """An experiment of seconds."""
    return ExperimentConfig(
        backbone="MobileNet",
        width=0.25,
        weights="none",
        image_size=32,
        learning_rate=1e-3,
        dropout=0.0,
        batch_size=16,
        epochs=2,
    )


@pytest.fixture
def settings(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of this test alone, in the environment as well."""
    monkeypatch.setenv("BLOODCELL_STORE", store.url)
    monkeypatch.setenv("BLOODCELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BLOODCELL_THREADS", "1")
    monkeypatch.delenv("BLOODCELL_SLOTS", raising=False)
    return Settings()


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """What a command that runs in the tests' process does at a signal ends with its test."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def hangups(_own_signals: None) -> None:
    """The end of a terminal ends what this test starts, also where the tests themselves run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server on a database of its own; its start takes seconds, more on a busy machine."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def spec(store: LocalStore, coloured: DatasetInfo, small: ExperimentConfig) -> ExperimentSpec:
    """A planned experiment on the coloured set; its config.json is in the store."""
    info = read_info(store, "coloured")
    spec = ExperimentSpec(config=small, dataset=info.name, dataset_version=info.version, code_version=code_version())
    artifacts.write_model(store, artifacts.experiment(spec.key, "config.json"), spec)
    return spec
