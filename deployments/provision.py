"""Make on the servers what the flows need: the bucket, the work pool and the deployments.

    python -m deployments.provision [--bucket <name>]

It may be repeated: what is there is left, or brought up to date.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from bloodcell.errors import BloodcellError, ConfigError, TransientError
from bloodcell.store.s3_client import s3_client
from deployments.buckets import make_bucket

POOL = "grids"
"""The work pool that prefect.yaml sends grids to."""

_PREFECT_FILE = Path(__file__).with_name("prefect.yaml")


def make_pool(client: SyncPrefectClient, folder: Path | None = None) -> None:
    """Make the work pool, whose flow runs are processes, or bring it up to date.

    Args:
        client: Of the server.
        folder: Working folder of the flow runs, to which a path in their parameters is relative; one that is new and
            empty each time where left out.
    """
    template: dict[str, Any] = ProcessWorker.get_default_base_job_template()
    if folder:
        template["variables"]["properties"]["working_dir"]["default"] = str(folder)
    try:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
    except ObjectAlreadyExists:  # its pause and its limit are the user's
        client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def deploy(environment: Mapping[str, str] | None = None) -> None:
    """Put the deployments of prefect.yaml on the server, or bring those there up to date.

    Args:
        environment: Variables that name the server; this process's where left out.

    Raises:
        ConfigError: The server, or prefect.yaml, does not allow it.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", f"--prefect-file={_PREFECT_FILE}"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ConfigError(
            f"the deployments were refused:\n{ended.stdout}{ended.stderr}", remedy=f"correct {_PREFECT_FILE}"
        )


@click.command()
@click.option("--bucket", help="A bucket to make too, on an S3 server of your own.")
def main(bucket: str | None) -> None:
    """Make what the flows need, on the servers that PREFECT_API_URL and the AWS_ variables name."""
    try:
        if bucket:
            make_bucket(s3_client(), bucket)
        with get_client(sync_client=True) as client:
            make_pool(client)
        deploy()
    except BloodcellError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except httpx.HTTPError as error:
        click.echo(f"error: the Prefect server did not do it: {error!r}\n  Remedy: check PREFECT_API_URL", err=True)
        sys.exit(TransientError.exit_code)
    click.echo(f"work pool {POOL}; deployments of {_PREFECT_FILE.name}")


if __name__ == "__main__":
    main()
