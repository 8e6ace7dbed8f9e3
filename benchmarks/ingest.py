"""Ingest: `bloodcell data push` of an archive to a store in a local folder, every image decoded and its bytes copied.

The whole command is timed, from the start of the interpreter to its end. Memory is that of its process.
"""

import os
import tempfile
from pathlib import Path
from statistics import median

import click

from benchmarks import options
from benchmarks.measuring import run_command
from benchmarks.results import Figure, Row, save
from bloodcell.data.dataset import read_info
from bloodcell.data.synthetic import synthesize
from bloodcell.store import LocalStore

AT_MOST = 30.0
"""Bar of the seconds that the Kaggle archive may take."""


def ingest(source: Path, store: Path) -> Row:
    """Push an archive into an empty store once; returns the line of the table."""
    cost = run_command(
        ["-m", "bloodcell", "data", "push", str(source), "--name", "ingested"],
        os.environ | {"BLOODCELL_STORE": store.as_uri()},
    )
    images = read_info(LocalStore(store), "ingested").images
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    return {
        "images": images,
        "seconds": round(cost.seconds, 2),
        "images/s": round(images / cost.seconds),
        "MB/s": round(size / cost.seconds / 1e6, 1),
        "peak memory, MB": round(cost.memory / 1e6),
    }


@click.command(help=__doc__)
@options.data
@click.option(
    "--rounds", default=3, show_default=True, help="Pushes, each into an empty store; the figure is their median."
)
@options.results
def main(data: Path | None, rounds: int, folder: Path) -> None:
    """Push and save the figures."""
    with tempfile.TemporaryDirectory() as temporary:
        source = data or Path(temporary) / "drawn"
        if data is None:
            synthesize(source)
        rows = [ingest(source, Path(temporary) / f"store-{number}") for number in range(rounds)]
    seconds = median(float(row["seconds"]) for row in rows)
    save(
        "ingest",
        __doc__,
        folder,
        images=f"{rows[0]['images']:,} {f'images of {data.name}' if data else 'synthetic images'}",
        settings={"rounds": rounds},
        figures=[
            # Only the Kaggle archive has the bar: the drawn set is smaller.
            Figure(
                key="ingest",
                text="ingest of the archive to a local store",
                value=seconds,
                unit="s",
                at_most=AT_MOST if data else None,
            ),
            Figure(
                key="ingest-rate",
                text="images checked and stored",
                value=median(float(row["images/s"]) for row in rows),
                unit="images/s",
            ),
            Figure(
                key="ingest-memory",
                text="peak memory of the ingest",
                value=max(float(row["peak memory, MB"]) for row in rows),
                unit="MB",
            ),
        ],
        rows=rows,
    )


if __name__ == "__main__":
    main()
