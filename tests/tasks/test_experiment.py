from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.states import Failed

from bloodcell.errors import ConfigError, DataError, TransientError
from bloodcell.events import Done, Epoch, Step
from tasks import experiment
from tasks.experiment import is_worth_retrying, line_of, progress_in_prefect


@pytest.mark.parametrize(("error", "again"), [(TransientError, True), (ConfigError, False), (DataError, False)])
def test_only_what_another_attempt_may_not_meet_is_tried_again(error, again):
    state: State = Failed(data=error("p", remedy="r"))
    assert is_worth_retrying(None, None, state) is again


def test_events_read_well():
    epoch = Epoch(epoch=3, epochs=10, loss=0.5, accuracy=0.8, val_loss=0.6, val_accuracy=0.7, seconds=12.5)
    assert line_of("basic", epoch) == (
        "basic ██████░░░░░░░░░░░░░░ 3/10  loss 0.5000  accuracy 0.8000  val loss 0.6000  val accuracy 0.7000  12.5 s"
    )
    waited = epoch.model_copy(update={"waiting": 0.26})
    assert line_of("basic", waited) == line_of("basic", epoch) + ", of which 0.26 s waiting for data"
    assert line_of("basic", epoch.model_copy(update={"waiting": 0.24})) == line_of("basic", epoch)
    short = waited.model_copy(update={"seconds": 0.5})  # half of it, but of five seconds in all
    assert "waiting" in line_of("basic", short)
    assert "waiting" not in line_of("basic", short.model_copy(update={"waiting": 0.09}))
    assert line_of("basic", Step(message="decoding")) == "basic: decoding"
    assert line_of("basic", Done(message="done")) == "basic: done"


def test_a_bar_tells_the_epoch_on_the_page_of_its_run_and_not_among_the_reports(prefect_server):
    @flow
    def drawing() -> None:
        show = progress_in_prefect("basic", lambda line: None)
        show(Epoch(epoch=3, epochs=12, loss=0.5, accuracy=0.8, val_loss=0.6, val_accuracy=0.7, seconds=1.25))

    state = drawing(return_state=True)
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        (bar,) = client.read_artifacts(flow_run_filter=of_run)
    assert (bar.type, bar.data, bar.key) == ("progress", 25.0, None)
    assert bar.description == "basic: epoch 3 of 12, validation accuracy 0.7000"


def test_a_server_that_does_not_answer_stops_no_training(monkeypatch):
    def fail(*args, **kwargs):
        raise TimeoutError("no answer")

    monkeypatch.setattr(experiment, "create_progress_artifact", fail)
    lines: list[str] = []
    show = progress_in_prefect("basic", lines.append)
    show(Done(message="done"))
    assert lines[0] == "basic: done"
    assert "could not be drawn: TimeoutError('no answer')" in lines[1]


@pytest.mark.parametrize(("last", "drawn"), [(12, [25.0, 100.0]), (6, [25.0, 50.0, 100.0])])
def test_a_bar_is_full_at_the_end_and_drawn_only_where_it_changes(monkeypatch, last, drawn):
    calls: list[float] = []
    monkeypatch.setattr(experiment, "create_progress_artifact", lambda progress, **_: calls.append(progress) or uuid4())
    monkeypatch.setattr(experiment, "update_progress_artifact", lambda _, progress, **__: calls.append(progress))
    show = progress_in_prefect("basic", lambda line: None)
    assert calls == []
    for epoch in (3, last):
        show(Epoch(epoch=epoch, epochs=12, loss=0.5, accuracy=0.8, val_loss=0.6, val_accuracy=0.7, seconds=1.25))
    show(Done(message="done"))
    assert calls == drawn
