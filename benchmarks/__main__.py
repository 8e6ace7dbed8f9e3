"""All benchmarks, one after the other, and the page that shows them: `python -m benchmarks`, or `make bench`."""

import subprocess
import sys
from pathlib import Path

import click

from benchmarks import options, page
from benchmarks.results import RESULTS

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "throughput": (),
    "precision": (),
    "input_limit": ("data",),
    "vs_notebook": ("data", "weights"),
    "notebook_accuracy": ("data", "weights"),
    "ingest": ("data",),
    "dataset_scale": (),
    "fan_out": (),
    "rerun": (),
    "startup": (),
}
"""The scripts that measure, and which of the options each takes."""


@click.command(help=__doc__)
@options.data
@options.weights
def main(**given: Path | None) -> None:
    """Run each in a process of its own; one that fails keeps its last figures and does not stop the others."""
    failed = []
    for name, accepted in BENCHMARKS.items():
        arguments = [f"--{option}={value}" for option, value in given.items() if value and option in accepted]
        click.echo(f"-- {name} {' '.join(arguments)}")
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False).returncode:
            failed.append(name)
    page.main(["--results", str(RESULTS)], standalone_mode=False)
    if failed:
        click.echo(f"failed, and shown as measured before: {', '.join(failed)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
