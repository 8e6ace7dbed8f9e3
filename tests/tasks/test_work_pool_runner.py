"""The runner on a real Prefect server, at which the tests play the workers: each state is set as a worker would."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending, Running, Scheduled
from prefect.testing.utilities import prefect_test_harness
from prefect.utilities.urls import url_for

from bloodcell.errors import BloodcellError, ConfigError, DataError, StoppedError, TransientError
from bloodcell.events import Done, Event, Step
from tasks.runners import Exit, GridRunId, open_runner
from tasks.runners.base import error_of
from tasks.runners.work_pool import WorkPoolRunner, api, runner, watch
from tasks.runners.work_pool.ending import exit_of, failed
from tasks.runners.work_pool.watch import Watch

RUN = GridRunId("blood-cell", "20261124T020000Z-abcdef", "019ab")


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    """Of a server with the deployment experiment/pool on a work pool for processes."""
    with prefect_test_harness(server_startup_timeout=120), get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="hosts", type="process"))
        client.create_deployment(client.create_flow_from_name("experiment"), "pool", work_pool_name="hosts")
        yield client


@pytest.fixture
def settings(settings, client, monkeypatch):
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.1)
    return settings.model_copy(update={"runner": "work_pool", "grace": 2})


class Workers:
    """What workers do to the flow runs of a key."""

    def __init__(self, client: SyncPrefectClient, key: str) -> None:
        self.client = client
        self.key = key

    def runs(self) -> list[FlowRun]:
        wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"key:{self.key}"]))
        return self.client.read_flow_runs(flow_run_filter=wanted)

    def run(self) -> FlowRun:
        """The one flow run, once it is there."""
        return until(self.runs)[0]

    def set(self, *states: State) -> None:
        for state in states:
            self.client.set_flow_run_state(self.run().id, state, force=True)


def until(ask: Callable, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


@pytest.fixture
def workers(client) -> Workers:
    return Workers(client, uuid4().hex[:20])


class Started:
    """An experiment that a runner runs in a thread."""

    def __init__(self, settings, key: str, pool: ThreadPoolExecutor, on_event=None) -> None:
        self.runner = WorkPoolRunner(settings, RUN)
        self.events: list[Event] = []
        self.lines: list[str] = []
        listen = on_event or self.events.append
        self.ended: Future[Exit] = pool.submit(self.runner.run, key, "basic", listen, self.lines.append)

    def said(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Step)]

    def result(self) -> Exit:
        return self.ended.result(timeout=20)


@pytest.fixture
def start(settings, workers) -> Iterator[Callable[..., Started]]:
    with ThreadPoolExecutor() as pool:
        started = []

        def start(on_event=None, **fields) -> Started:
            started.append(Started(settings.model_copy(update=fields), workers.key, pool, on_event))
            return started[-1]

        yield start
        for running in started:
            running.runner.stop()


def test_an_experiment_is_a_flow_run_that_people_recognise_and_its_states_are_told(start, workers, store):
    running = start()
    run = workers.run()
    assert run.name == "blood-cell · basic"
    assert set(run.tags) == {"grid:blood-cell", f"run:{RUN.run_id}", f"key:{workers.key}", f"store:{store.url}"}
    assert run.parameters == {"key": workers.key, "store": store.url}
    for state in (Scheduled(), Pending(), Running(), Completed(name="Trained")):
        workers.set(state)
        until(lambda name=state.name: running.said()[-1:] == [name])
    assert running.result() == Exit(0)
    assert running.said()[0] == f"sent to the work pool: blood-cell · basic, {url_for(run)}"
    assert running.said()[-3:] == ["Pending", "Running", "Trained"]
    assert isinstance(running.events[-1], Done)


def test_it_is_a_subflow_of_the_row_s_task(settings, workers):
    def as_worker() -> None:
        workers.set(Running(), Completed())

    @task
    def row() -> int:
        with ThreadPoolExecutor() as pool:
            worker = pool.submit(as_worker)
            code = WorkPoolRunner(settings, RUN).run(workers.key, "basic", print, print).code
            worker.result()
        return code

    @flow
    def grid() -> int:
        return row()

    assert grid() == 0
    parent = workers.client.read_task_run(workers.run().parent_task_run_id)
    assert parent.task_inputs["__parents__"]
    assert parent.state.is_completed()


@pytest.mark.parametrize("kind", [DataError, ConfigError, TransientError, BloodcellError])
def test_a_failure_comes_back_as_the_experiment_s_own(start, workers, kind):
    running = start()
    workers.set(Running(), failed(kind("line one\nline two", remedy="mend it")))
    error = error_of(running.result())
    assert type(error) is kind
    assert (error.problem, error.remedy) == ("line one\nline two", "mend it")


def test_what_prefect_itself_says_of_a_failure_is_kept(start):
    ended = exit_of(Failed(message="Flow run encountered an exception: ValueError: x"))
    assert ended.code == BloodcellError.exit_code
    assert ended.failure.problem == "Flow run encountered an exception: ValueError: x"
    assert ended.failure.remedy
    assert exit_of(Failed()).failure.problem


def test_a_crash_is_worth_another_attempt_which_gets_a_flow_run_of_its_own(start, workers):
    crashed = set()
    for _ in range(4):
        running = start()
        [run] = until(lambda: [run for run in workers.runs() if run.id not in crashed])
        workers.client.set_flow_run_state(run.id, Crashed(message="exited with status code 137"), force=True)
        with pytest.raises(TransientError, match=r"blood-cell · basic crashed: exited with status code 137"):
            running.result()
        crashed.add(run.id)


def test_one_that_somebody_cancels_fails_its_row(start, workers):
    running = start()
    workers.set(Running(), Cancelled(message="not tonight"))
    with pytest.raises(StoppedError, match="was cancelled: not tonight"):
        running.result()
    assert api.STOPPED_BY_GRID not in workers.run().tags  # or a grid that shares it would start it anew


def test_of_two_grid_runs_that_share_one_the_stop_of_one_is_no_failure_to_the_other(start, workers):
    first = start()
    workers.run()
    second = start()
    until(lambda: first.events and second.events)
    workers.set(Running())
    first.runner.stop()
    until(lambda: workers.run().state_type is StateType.CANCELLING)
    workers.set(Cancelled(message="by its worker"))
    with pytest.raises(TransientError, match="cancelled by another grid run"):
        second.result()


def test_a_deployment_made_anew_knows_nothing_of_the_flow_runs_before_it(start, workers):
    def deploy(client: SyncPrefectClient) -> UUID:
        return client.create_deployment(client.create_flow_from_name("experiment"), "anew", work_pool_name="hosts")

    first = deploy(workers.client)
    running = start(deployment="experiment/anew")
    workers.set(Running(), Completed())
    assert running.result() == Exit(0)
    old = workers.run().id
    workers.client.delete_deployment(first)
    deploy(workers.client)
    start(deployment="experiment/anew")
    assert len(until(lambda: [run for run in workers.runs() if run.id != old])) == 1


def test_one_that_somebody_deletes_fails_its_row(start, workers):
    running = start()
    workers.set(Running())
    workers.client.delete_flow_run(workers.run().id)
    with pytest.raises(BloodcellError, match="was deleted while its experiment ran"):
        running.result()


@pytest.mark.parametrize("state", [None, Pending(), Running()])
def test_one_that_an_earlier_grid_run_left_is_adopted(start, workers, state):
    start()  # a grid run that is killed does nothing more
    workers.run()
    if state:
        workers.set(state)
    running = start()
    until(lambda: running.events)
    assert running.events[0].message.startswith("adopted blood-cell · basic")
    workers.set(Completed())
    assert running.result() == Exit(0)
    assert len(workers.runs()) == 1


def test_grid_runs_that_ask_at_one_time_share_it(start, workers):
    both = [start() for _ in range(2)]
    until(lambda: all(running.events for running in both))
    workers.set(Completed())
    assert [running.result() for running in both] == [Exit(0)] * 2
    assert len(workers.runs()) == 1


def test_one_for_another_store_is_left_alone(start, workers, tmp_path):
    elsewhere = start(store=f"file://{tmp_path / 'elsewhere'}")
    first = workers.run().id
    here = start()
    [second] = until(lambda: [run for run in workers.runs() if run.id != first])
    workers.client.set_flow_run_state(second.id, Completed(), force=True)
    assert here.result() == Exit(0)
    assert not elsewhere.ended.done()


def test_one_that_a_killed_worker_had_claimed_is_given_up(start, workers):
    running = start(claim_limit=1)
    workers.set(Pending(), Pending(name="Submitting"))
    with pytest.raises(
        TransientError, match="claimed the flow run blood-cell · basic and has not started it within 1 s"
    ):
        running.result()
    assert workers.run().state.type is StateType.CANCELLING  # a late start of it ends at once


def test_one_that_was_scheduled_anew_and_then_claimed_in_vain_is_given_up_too(start, workers):
    running = start(claim_limit=1)
    workers.client.update_flow_run(workers.run().id, infrastructure_pid="unix://host:1")
    workers.set(Running())
    until(lambda: running.said()[-1:] == ["Running"])
    workers.set(Pending())  # by another worker, after the first host's end
    with pytest.raises(TransientError, match="has not started it within 1 s"):
        running.result()


def test_one_that_waits_or_whose_infrastructure_starts_is_not_given_up(start, workers):
    running = start(claim_limit=4)
    with pytest.raises(TimeoutError):
        running.ended.result(timeout=5)
    workers.set(Pending())
    workers.client.update_flow_run(workers.run().id, infrastructure_pid="unix://host:1")
    with pytest.raises(TimeoutError):
        running.ended.result(timeout=5)


def test_one_that_runs_too_long_is_cancelled(start, workers):
    running = start(time_limit=1)
    time.sleep(2)  # waiting does not count
    workers.set(Running())
    with pytest.raises(ConfigError, match="ran longer than the 1 s that it may"):
        running.result()
    assert workers.run().state.type is StateType.CANCELLING


@pytest.mark.parametrize("state", [None, Running()])
def test_stop_cancels_and_starts_nothing_more(start, workers, state):
    running = start()
    if state:
        workers.set(state)
    until(lambda: running.events)
    began = time.monotonic()
    running.runner.stop()
    if state:
        until(lambda: workers.run().state_type is StateType.CANCELLING)
        workers.set(Cancelled())
    with pytest.raises(StoppedError):
        running.result()
    assert time.monotonic() - began < 30
    assert workers.run().state.is_cancelled()
    with pytest.raises(StoppedError):
        running.runner.run("another", "row", print, print)
    assert Workers(workers.client, "another").runs() == []


def test_one_that_does_not_end_is_named(start, workers):
    running = start(grace=1)
    workers.set(Running())
    running.runner.stop()
    with pytest.raises(StoppedError):
        running.result()
    assert running.lines == ["blood-cell · basic is being cancelled, and has not ended yet"]


def test_a_listener_that_fails_leaves_nothing_running(start, workers):
    def fail(event: Event) -> None:
        raise KeyboardInterrupt

    running = start(on_event=fail)
    with pytest.raises(KeyboardInterrupt):
        running.result()
    until(lambda: workers.run().state_type is StateType.CANCELLED)


def followed(client: SyncPrefectClient, count: int) -> list[FlowRun]:
    @flow(name="followed")
    def one() -> None: ...

    return [client.create_flow_run(one) for _ in range(count)]


def test_following_costs_a_request_a_page_whoever_asks(client, monkeypatch):
    asked = []
    request = SyncPrefectClient.request

    def counting(self, method: str, path: str, *args, **kwargs):
        asked.append(path)
        return request(self, method, path, *args, **kwargs)

    monkeypatch.setattr(api, "_PAGE", 5)
    runs = followed(client, 6)
    together = Watch(seconds=600)
    for run in runs:
        together.add(run)
    client.set_flow_run_state(runs[-1].id, Running())
    together._asked -= 600
    monkeypatch.setattr(SyncPrefectClient, "request", counting)
    with ThreadPoolExecutor(32) as pool:
        now = list(pool.map(together.now, runs))
    assert asked == ["/flow_runs/filter"] * 2
    assert [run.id for run in now] == [run.id for run in runs]
    assert now[-1].state.is_running()


def test_a_server_that_restarts_is_waited_for(client, monkeypatch):
    def fail(ids: list[UUID]):
        raise TransientError("down", remedy="wait")

    [run] = followed(client, 1)
    patient = Watch(seconds=0)
    patient.add(run)
    monkeypatch.setattr(watch, "read_runs", fail)
    assert patient.now(run).id == run.id
    monkeypatch.setattr(watch, "_PATIENCE_SECONDS", 0)
    with pytest.raises(TransientError, match="down"):
        patient.now(run)


def test_a_pool_where_nobody_works_is_told(settings, client):
    lines = []
    open_runner(settings, RUN).prepare(lines.append)
    assert len(lines) == 1
    assert "no worker of the work pool 'hosts' is online" in lines[0]
    assert "prefect worker start --pool hosts --type process" in lines[0]


def test_a_deployment_that_is_not_there_is_named(settings):
    missing = settings.model_copy(update={"deployment": "experiment/none"})
    with pytest.raises(ConfigError, match="has no deployment 'experiment/none'") as caught:
        WorkPoolRunner(missing, RUN).prepare(print)
    assert "BLOODCELL_DEPLOYMENT" in caught.value.remedy


def test_a_deployment_without_a_work_pool_is_named(settings, client):
    client.create_deployment(client.create_flow_from_name("experiment"), "served")
    with pytest.raises(ConfigError, match="'experiment/served' has no work pool"):
        WorkPoolRunner(settings.model_copy(update={"deployment": "experiment/served"}), RUN).prepare(print)


def test_a_folder_is_no_store_for_machines_that_do_not_share_it(settings, client):
    client.create_work_pool(WorkPoolCreate(name="engines", type="docker"))
    client.create_deployment(client.create_flow_from_name("experiment"), "far", work_pool_name="engines")
    with pytest.raises(ConfigError, match="the machines of the docker work pool 'engines' cannot reach") as caught:
        WorkPoolRunner(settings.model_copy(update={"deployment": "experiment/far"}), RUN).prepare(print)
    assert "BLOODCELL_STORE" in caught.value.remedy


def test_a_server_that_is_not_there_may_come_back(settings, monkeypatch):
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(TransientError, match="the Prefect server does not answer") as caught,
    ):
        WorkPoolRunner(settings, RUN).prepare(print)
    assert "PREFECT_API_URL" in caught.value.remedy
