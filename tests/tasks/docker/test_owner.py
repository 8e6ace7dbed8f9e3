import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.runners.docker.owner import Owner

ELSEWHERE = {"host": "4f2a9c", "namespace": "pid:[1]", "contained": True}


def test_this_process_lives():
    owner = Owner.this_process()
    assert owner.is_alive(lambda _: None)
    assert Owner.model_validate_json(owner.model_dump_json()) == owner


def test_a_process_that_ended_does_not():
    command = [
        sys.executable,
        "-c",
        "from tasks.runners.docker.owner import *; print(Owner.this_process().model_dump_json())",
    ]
    ended = subprocess.run(command, capture_output=True, check=True, text=True)
    owner = Owner.model_validate_json(ended.stdout)
    assert owner.host == Owner.this_process().host
    assert not owner.is_alive(lambda _: None)


def test_another_process_that_got_its_number_is_not_it():
    assert not Owner.this_process().model_copy(update={"ticks": 1.0}).is_alive(lambda _: None)


def test_a_process_whose_end_nobody_has_noticed_does_not_live():
    command = [
        sys.executable,
        "-c",
        "from tasks.runners.docker.owner import *; print(Owner.this_process().model_dump_json())",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        owner = Owner.model_validate_json(process.stdout.read())
        deadline = time.monotonic() + 20
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
        assert not owner.is_alive(lambda _: None)


def test_a_clock_that_is_set_ends_nobody():
    assert Owner.this_process().model_copy(update={"started": 1.0}).is_alive(lambda _: None)


def test_a_process_in_a_container_that_the_engine_does_not_know_counts_as_alive(monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/.dockerenv")
    assert Owner.this_process(lambda _: 1.0).contained
    elsewhere = Owner.this_process(lambda _: None).model_copy(update={"host": "other", "namespace": "other"})
    assert elsewhere.is_alive(lambda _: None)


def test_a_process_of_a_former_boot_is_gone():
    assert not Owner.this_process().model_copy(update={"boot": "former"}).is_alive(lambda _: None)


@pytest.mark.parametrize(
    ("container_started", "alive"),
    [(None, False), (900.0, True), (1100.0, False)],
    ids=["its container is gone", "its container runs", "its container was started again since"],
)
def test_a_process_in_another_container_lives_as_long_as_that(container_started, alive):
    owner = Owner.this_process().model_copy(update=ELSEWHERE | {"started": 1000.0})
    asked = []

    def started(container_id: str) -> float | None:
        asked.append(container_id)
        return container_started

    assert owner.is_alive(started) is alive
    assert asked == ["4f2a9c"]


def test_a_process_of_another_machine_counts_as_alive():
    owner = Owner.this_process().model_copy(update={"host": "other", "boot": "other", "contained": False})
    assert owner.is_alive(lambda _: None)
