"""`bloodcell doctor`: whether experiments can run here."""

import sys

import click

from bloodcell.printable import printable


@click.command()
@click.option("--write", is_flag=True, help="Also write an object named `doctor` to the store, where it stays.")
def doctor(write: bool) -> None:
    """Check that this machine, or this image, can run experiments.

    \b
    One line each: ok, warn (experiments may run all the same) or FAIL, with the remedy.
    Exit codes: 0 no FAIL; else the first one's: 78 configuration, 75 try again.
    """  # noqa: D301 - click wants the backspace itself
    from bloodcell.doctor import examine

    code = 0
    for check in examine(write=write):
        click.echo("\n".join(map(printable, str(check).splitlines())))
        code = code or check.exit_code
    sys.exit(code)
