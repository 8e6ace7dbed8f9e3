"""The deployments, as far as they can be judged without a server."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import load_flow_from_entrypoint
from prefect.server.schemas.schedules import CronSchedule as ServerCronSchedule
from ruamel.yaml import YAML

from deployments.provision import POOL
from flows.parameters import resolve

TEXT = (Path(__file__).parents[2] / "deployments" / "prefect.yaml").read_text()
FILE = YAML(typ="safe", pure=True).load(TEXT)
DEPLOYMENTS = {deployment["name"]: deployment for deployment in FILE["deployments"]}


def test_names():
    assert set(DEPLOYMENTS) == {"blood-cell", "demo"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_flow_accepts_the_parameters(name):
    deployment = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    assert flow.name == "grid"
    for schedule in [{}, *deployment.get("schedules", [])]:
        parameters = flow.validate_parameters(deployment["parameters"] | schedule.get("parameters", {}))
        resolve(parameters["grid"], parameters.get("dataset"), parameters.get("overrides"))
    assert deployment["work_pool"] == {"name": POOL}


def test_nothing_is_fetched_and_no_path_is_of_one_machine():
    assert FILE["pull"] == []
    assert not [word for word in TEXT.split() if word.startswith("/")]


def test_nights_never_overlap():
    limit = DEPLOYMENTS["blood-cell"]["concurrency_limit"]
    assert limit["limit"] == 1
    assert ConcurrencyLimitStrategy(limit["collision_strategy"]) is ConcurrencyLimitStrategy.ENQUEUE


def test_each_day_has_one_night_when_the_clocks_change_too():
    (schedule,) = DEPLOYMENTS["blood-cell"]["schedules"]
    zone = ZoneInfo(schedule["timezone"])
    assert CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])
    server = ServerCronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])
    nights = anyio.run(lambda: server.get_dates(n=730, start=datetime(2026, 1, 1, tzinfo=UTC)))
    local = [night.astimezone(zone) for night in nights]
    assert len({night.utcoffset() for night in local}) == 2  # the zone has clock changes
    assert {night.time() for night in local} == {local[0].time()}
    assert [after.date() - before.date() for before, after in pairwise(local)] == [timedelta(days=1)] * 729


def test_a_night_that_waited_is_over_before_the_next():
    (schedule,) = DEPLOYMENTS["blood-cell"]["schedules"]
    assert 0 < schedule["parameters"]["start_within_hours"] < 24
