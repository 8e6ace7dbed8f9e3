"""`bloodcell measure`: how fast a model trains here, as a grid run asks before it packs its experiments."""

import click

from bloodcell.errors import BloodcellError


@click.command(hidden=True)
@click.option("--shape", "text", required=True, help="The model's shape as JSON; see bloodcell.shapes.")
def measure(text: str) -> None:
    """Train on random images until stopped, with figures as JSON lines on stdout."""
    from bloodcell.events import Failure, emit
    from bloodcell.keras_import import import_keras
    from bloodcell.lasting import lasting
    from bloodcell.settings import load_settings
    from bloodcell.shapes import ModelShape

    try:
        shape = ModelShape.model_validate_json(text)
        settings = load_settings()

        with lasting():
            import_keras()
            from bloodcell.throughput import train_until_stopped

        train_until_stopped(shape, settings)
    except BloodcellError as error:
        emit(Failure(problem=error.problem, remedy=error.remedy))
        raise
