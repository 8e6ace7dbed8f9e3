"""Play the story with many kills."""

import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.story import told
from tests.chaos.verdict import disturbed_and_calm


@click.command(help=__doc__)
@click.option("--kills", default=30, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Decides what is killed when, and which requests fail.")
@click.option("--rows", default=3, show_default=True, help="Of the grid.")
@click.option("--deadline", default=3000.0, show_default=True, help="Seconds after which the grid is given up.")
@click.option("--folder", type=click.Path(path_type=Path), help="To keep stack and logs in; it must not exist.")
def main(*, kills: int, seed: int, rows: int, deadline: float, folder: Path | None) -> None:
    """Print what happened; exit code 1 where the promise does not hold."""
    with tempfile.TemporaryDirectory() as temporary:
        story, wrong = disturbed_and_calm(
            folder or Path(temporary),
            kills=kills,
            seed=seed,
            rows=rows,
            deadline_seconds=deadline,
            say=lambda line: click.echo(line, err=True),
        )
    click.echo(told(story))
    for what in wrong:
        click.echo(f"wrong: {what}", err=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
