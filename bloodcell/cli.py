"""The `bloodcell` command: datasets, and one experiment by its key."""

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bloodcell import __version__
from bloodcell.errors import BloodcellError, ConfigError

if TYPE_CHECKING:
    from bloodcell.data.dataset import DatasetInfo
    from bloodcell.store import Store


def main() -> None:
    """Run the command; an error of the project's own becomes its message and its exit code."""
    try:
        cli(standalone_mode=False)
    except BloodcellError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except Exception:  # noqa: BLE001 - a bug: its traceback is what a report of it needs
        traceback.print_exc()
        sys.exit(BloodcellError.exit_code)


@click.group()
@click.version_option(__version__, prog_name="bloodcell")
def cli() -> None:
    """Fine-tune image classifiers over a grid of configurations.

    \b
    A grid is run by `python -m flows.grid`; these commands are its parts.
    Where things are is set by variables: BLOODCELL_STORE (file://store), BLOODCELL_CACHE,
    BLOODCELL_SLOTS (1), BLOODCELL_THREADS.
    """  # noqa: D301 - click wants the backspace itself


@cli.command()
@click.option("--key", required=True, help="The experiment's key; its config.json is in the store.")
def run(key: str) -> None:
    """Train and evaluate one experiment, with progress as JSON lines on stdout.

    \b
    Exit codes: 0 done, 65 bad data, 78 bad configuration, 75 try again.
    """  # noqa: D301 - click wants the backspace itself
    from bloodcell import artifacts
    from bloodcell.events import Failure, emit
    from bloodcell.settings import load_settings
    from bloodcell.store import open_store

    try:
        settings = load_settings()
        store = open_store(settings.store)
        artifacts.read_spec(store, key)  # before TensorFlow takes its seconds

        try:
            from bloodcell.experiment import run_experiment
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"an experiment needs TensorFlow, and {error.name} is not installed here",
                remedy="install the extra `cpu` or `gpu` of this project",
            ) from error
        run_experiment(store, key, settings)
    except BloodcellError as error:
        emit(Failure(problem=error.problem, remedy=error.remedy))
        raise


@cli.group()
def data() -> None:
    """Add datasets to the store and look at them."""


@data.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--name", default="blood-cells", show_default=True, help="Name of the dataset in the store.")
@click.option("--skip-unreadable", is_flag=True, help="Leave images out that cannot be decoded, and list them.")
def push(source: Path, name: str, skip_unreadable: bool) -> None:
    """Check the images in SOURCE (a zip or a folder) and publish them as a dataset version.

    SOURCE holds TRAIN, TEST and TEST_SIMPLE with a folder a class (at any depth, as Kaggle's archive does),
    or a folder a class. The archive itself is never unpacked nor changed.
    """
    _push(source, name, skip_unreadable)


@data.command()
@click.option("--name", default="synthetic", show_default=True, help="Name of the dataset in the store.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Write the images to this folder instead.")
@click.option("--seed", default=0, show_default=True, help="Seed of the drawing.")
def synthesize(name: str, folder: Path | None, seed: int) -> None:
    """Draw a labelled synthetic set of four white-cell classes, for a try without a download."""
    from bloodcell.data.ingest import check_name
    from bloodcell.data.synthetic import synthesize as draw

    check_name(name)
    if folder is not None:
        with _progress("drawing cells") as progress:
            draw(folder, seed=seed, progress=progress)
        click.echo(f"synthetic images are in {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "synthetic"
        with _progress("drawing cells") as progress:
            draw(root, seed=seed, progress=progress)
        _push(root, name, skip_unreadable=False)


@data.command("list")
def list_datasets() -> None:
    """Name the datasets of the store."""
    from bloodcell.data.dataset import dataset_names, read_info

    store = _store()
    names = dataset_names(store)
    if not names:
        click.echo(f"{store.url} holds no dataset; add one with `bloodcell data push <archive or folder>`")
    for name in names:
        info = read_info(store, name)
        kind = ", synthetic" if info.synthetic else ""
        click.echo(f"{name}@{info.version}  {info.images} images, {len(info.labels)} classes{kind}")


@data.command()
@click.argument("dataset")
def show(dataset: str) -> None:
    """Describe DATASET: `name`, or `name@version`."""
    from bloodcell.data.dataset import read_info

    click.echo(_description(read_info(_store(), dataset)))


def _store() -> "Store":
    from bloodcell.settings import load_settings
    from bloodcell.store import open_store

    return open_store(load_settings().store)


def _push(source: Path, name: str, skip_unreadable: bool) -> None:
    from bloodcell.data.ingest import push as publish

    with _progress("reading images") as progress:
        info = publish(_store(), source, name=name, skip_unreadable=skip_unreadable, progress=progress)
    click.echo(_description(info))


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, advanced by the function it gives: (done, total)."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def advance(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield advance


def _description(info: "DatasetInfo") -> str:
    """A dataset version in a few lines, as `data push` and `data show` print it."""
    kind = "synthetic images, drawn by a program" if info.synthetic else "images"
    lines = [f"{info.name}@{info.version}: {info.images} {kind}, from {info.origin}"]
    for declared, classes in info.declared.items():
        counts = ", ".join(f"{label} {count}" for label, count in classes.items())
        lines.append(f"  {declared or 'all'}: {sum(classes.values())} ({counts})")
    if info.sources_known:
        lines.append(f"  source cells: {info.sources}")
    else:
        lines.append("  source cells: not known; each image counts as its own")
    lines += [f"  dropped {pair.dropped}: the same bytes as {pair.kept}" for pair in info.duplicates]
    lines += [f"  left out {file}" for file in info.skipped]
    # Names come from an archive: a control character in one must not reach the terminal.
    return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)
