"""The flow `experiment`: one experiment, in the container or pod that a work pool gave its flow run."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed

from bloodcell import artifacts
from bloodcell.errors import BloodcellError
from bloodcell.settings import load_settings
from bloodcell.store import open_store
from tasks.experiment import follow
from tasks.log_redaction import redact_logs
from tasks.runners import ProcessRunner
from tasks.runners.work_pool.ending import failed


@flow(name="experiment")
def experiment(key: str, store: str | None = None) -> State[None]:
    """Run the experiment whose config.json lies in the store, unless it has a result.

    A grid with BLOODCELL_RUNNER=work_pool starts one for each of its rows. The experiment is a child process, so that
    this one can tell how it ended, of want of memory too.

    Args:
        key: The experiment.
        store: URL of its store; BLOODCELL_STORE where left out.
    """
    redact_logs()
    try:
        settings = load_settings()
        if store is not None:
            settings = settings.model_copy(update={"store": store})
        if artifacts.is_done(open_store(settings.store), key):
            return Completed(name="Reused", message=f"{key} has a result")
        follow(ProcessRunner(settings), key, runtime.flow_run.name)
    except BloodcellError as error:
        return failed(error)
    return Completed(name="Trained", message=f"{key} is in {settings.store}")
