"""What turns the key of an experiment into a run of it somewhere."""

from bloodcell.errors import ConfigError
from bloodcell.settings import Settings
from tasks.runners.base import Exit, GridRunId, Runner
from tasks.runners.process import ProcessRunner

__all__ = ["Exit", "GridRunId", "ProcessRunner", "Runner", "open_runner"]


def open_runner(settings: Settings, run: GridRunId) -> Runner:
    """The runner that the settings name.

    Args:
        settings: Where things are.
        run: The grid run that it runs experiments for.

    Raises:
        ConfigError: The settings do not fit the runner.
    """
    match settings.runner:
        case "process":
            if settings.gpus:  # which would all compute on the first
                raise ConfigError(
                    f"BLOODCELL_GPUS is {','.join(settings.gpus)} and the runner is process; only containers lease any",
                    remedy="set BLOODCELL_RUNNER=docker, or unset BLOODCELL_GPUS: an experiment then takes the first "
                    "that CUDA_VISIBLE_DEVICES leaves it",
                )
            return ProcessRunner(settings)
        case "docker":
            from tasks.runners.docker import DockerRunner

            return DockerRunner(settings, run)
        case "work_pool":
            from tasks.runners.work_pool import WorkPoolRunner

            return WorkPoolRunner(settings, run)
