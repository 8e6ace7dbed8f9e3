"""The `bloodcell` command. A module each for its groups; what a command needs is imported when it runs."""

import sys
import traceback

import click

from bloodcell import __version__
from bloodcell.cli import data, doctor, fork_server, measure, report, run
from bloodcell.errors import BloodcellError
from bloodcell.redaction import redacted


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
        click.echo(redacted(traceback.format_exc()), err=True, nl=False)
        sys.exit(BloodcellError.exit_code)


@click.group()
@click.version_option(__version__, prog_name="bloodcell")
def cli() -> None:
    """Fine-tune image classifiers over a grid of configurations.

    \b
    A grid is run by `python -m flows.grid`; these commands are its parts.
    Where things are is set by variables: BLOODCELL_STORE (file://store), BLOODCELL_CACHE,
    BLOODCELL_SLOTS (auto), BLOODCELL_THREADS.
    """  # noqa: D301 - click wants the backspace itself


cli.add_command(run.run)
cli.add_command(measure.measure)
cli.add_command(fork_server.fork_server)
cli.add_command(data.data)
cli.add_command(report.report)
cli.add_command(doctor.doctor)
