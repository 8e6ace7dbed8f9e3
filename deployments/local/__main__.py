"""The command behind `make up` and `make down`."""

import os
import sys
from pathlib import Path

import click

from bloodcell.errors import BloodcellError
from deployments.local import processes
from deployments.local.configuration import CHECKOUT
from deployments.local.processes import WORKER
from deployments.local.stack import Stack

_NEXT = """
Prefect UI  {ui}
bucket      {store} at {endpoint}

Next, in a shell:
    source {env}
    prefect deployment run grid/demo --watch
    bloodcell report fetch --open
The UI and {log} show how far the trainings are."""


@click.group()
@click.option(
    "--folder", type=click.Path(path_type=Path), default=CHECKOUT / ".local", help="Where the stack keeps everything."
)
@click.pass_context
def cli(context: click.Context, folder: Path) -> None:
    """A Prefect server, an S3 server and a worker on this machine, without Docker."""
    context.obj = Stack(folder, click.echo)


@cli.command()
@click.option("--prefect-port", type=int, help="Port of the Prefect UI; 4200 at first.")
@click.option("--s3-port", type=int, help="Port of the S3 server; 8333 at first.")
@click.pass_obj
def up(stack: Stack, /, **ports: int | None) -> None:
    """Start what does not run, and say what to type next."""
    own = stack.up({name: port for name, port in ports.items() if port is not None}, os.environ)
    click.echo(
        _NEXT.format(
            ui=own.ui,
            store=own.variables["BLOODCELL_STORE"],
            endpoint=own.variables["AWS_ENDPOINT_URL"],
            env=_shown(stack.folder / "env"),
            log=_shown(stack.log_of(WORKER)),
        )
    )


@cli.command()
@click.pass_obj
def down(stack: Stack) -> None:
    """Cancel what runs, stop everything, and keep the data."""
    stack.down()
    click.echo(f"stopped; objects and history are kept in {_shown(stack.folder)}")


@cli.command()
@click.pass_obj
def status(stack: Stack) -> None:
    """Say what runs. Exit code 1 where a server does not."""
    running = processes.running(stack.folder)
    for kind in processes.SERVERS:
        pids = ", ".join(str(process.pid) for process in running.get(kind, []))
        click.echo(f"{kind:16}{f'process {pids}' if pids else 'does not run'}")
    click.echo(f"{'flow runs':16}{len(running.get(processes.FLOW_RUN, []))} processes")
    sys.exit(not all(kind in running for kind in processes.SERVERS))


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> None:
    """Run the command; an error of the project's own becomes its message and its exit code."""
    try:
        cli()
    except BloodcellError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
