"""The same grid, undisturbed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run(grid: Path, seeds: int, store: str, variables: Mapping[str, str], work: Path) -> None:
    """Run a grid to its end with a temporary Prefect server, and a cache of its own.

    Args:
        grid: Its file.
        seeds: Trainings of each row.
        store: URL of a store of its own.
        variables: Of the S3 server.
        work: For the cache.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
    own |= dict(variables) | {
        "BLOODCELL_STORE": store, "BLOODCELL_CACHE": str(work / "cache"), "PREFECT_HOME": str(work / "prefect"),
        "BLOODCELL_SLOTS": "2", "BLOODCELL_THREADS": "1",
    }  # fmt: skip
    for command in (
        ["-m", "bloodcell", "data", "synthesize", "--name", "synthetic"],
        ["-m", "flows.grid", "--grid", str(grid), "--seeds", str(seeds)],
    ):
        ended = subprocess.run([sys.executable, *command], env=own, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
