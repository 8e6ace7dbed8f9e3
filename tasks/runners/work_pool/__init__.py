"""An experiment as a flow run on a Prefect work pool: on whichever machine a worker has room."""

from tasks.runners.work_pool.runner import WorkPoolRunner

__all__ = ["WorkPoolRunner"]
