"""The automations on a real server, which tells a real listener of real runs; only their waits are shorter."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from ruamel.yaml import YAML

from deployments.automations.__main__ import automations, block_id, publish
from flows.grid.flow import grid as grid_flow

ROOT = Path(__file__).parents[3]
BLOCK = "custom-webhook/nights"
COMMAND = [sys.executable, "-m", "deployments.automations", "--block", BLOCK]


class Told(list[dict[str, str]]):
    """The messages that came."""

    def wait(self, subject: str, seconds: float = 150) -> str:
        """The text of the first message with a subject."""
        deadline = time.monotonic() + seconds
        while True:
            for message in list(self):
                if message["subject"] == subject:
                    return message["text"]
            assert time.monotonic() < deadline, f"told of {list(self)}"
            time.sleep(0.2)


@pytest.fixture
def told(on_server) -> Iterator[Told]:
    """What a webhook hears once the automations are on the server, as a user puts them there."""
    messages = Told()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        CustomWebhookNotificationBlock(
            name="nights",
            url=f"http://127.0.0.1:{server.server_port}/",
            json_data={"subject": "{{subject}}", "text": "{{body}}"},
        ).save("nights", overwrite=True)
        for _ in range(2):  # which is safe to repeat
            subprocess.run(COMMAND, cwd=ROOT, env=on_server.environment, check=True)
        yield messages
        with get_client(sync_client=True) as client:
            for automation in client.read_automations():
                client.delete_automation(automation.id)
        server.shutdown()


def shorten(name: str, seconds: int) -> None:
    """Let an automation wait less."""
    with get_client(sync_client=True) as client:
        (automation,) = [one for one in automations(block_id(client, BLOCK)) if one.name == name]
        automation.trigger.within = timedelta(seconds=seconds)
        publish(client, automation)


@pytest.fixture
def grid_file(tmp_path, small):
    def write(name: str, **experiments: object) -> str:
        path = tmp_path / f"{name}.yaml"
        base = small.model_dump(exclude_defaults=True)
        YAML().dump({"name": name, "dataset": "coloured", "base": base, "experiments": experiments}, path)
        return str(path)

    return write


def test_there_is_one_of_each_and_a_block_that_is_missing_is_named(told, on_server):
    with get_client(sync_client=True) as client:
        assert sorted(one.name for one in client.read_automations()) == ["failed night", "late run", "lost run"]
    command = [*COMMAND[:-1], "slack-webhook/none"]
    ended = subprocess.run(command, cwd=ROOT, env=on_server.environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "notification block is 'slack-webhook/none'" in ended.stderr
    assert "prefect block create slack-webhook" in ended.stderr


def test_a_failed_night_is_told_with_its_grid_the_reason_and_a_link(told, on_server, settings, coloured, grid_file):
    path = grid_file("fails", a={"batch_size": 1000})
    state = grid_flow(grid=path, return_state=True)
    text = told.wait(f"Grid {path}: Failed")
    assert "fails on coloured" in text
    assert "a: batch larger than the set" in text
    assert f"runs/flow-run/{state.state_details.flow_run_id}" in text


def test_a_run_that_no_worker_takes_is_told(told, on_server):
    shorten("late run", 10)
    on_server.run("work-pool", "create", "nobody", "--type", "process")
    on_server.run("deploy", "flows/grid/flow.py:grid", "--name", "late", "--pool", "nobody")
    on_server.run("deployment", "run", "grid/late", "--param", "grid=demo")
    text = told.wait("Grid demo: no worker")
    assert "waited fifteen minutes for a worker" in text
    assert "runs/flow-run/" in text


def test_a_run_whose_host_dies_is_marked_as_crashed_and_told(told, on_server, settings, coloured, grid_file, tmp_path):
    shorten("lost run", 35)
    path = grid_file("dies", a={"epochs": 10_000})
    with (tmp_path / "log").open("wb") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", "flows.grid", "--grid", path],
            env=on_server.environment | {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for_epoch(tmp_path / "log", host)
    finally:
        os.killpg(host.pid, signal.SIGKILL)
        host.wait()
    text = told.wait(f"Grid {path}: Crashed")
    assert "silent for five minutes" in text
    with get_client(sync_client=True) as client:
        of_name = FlowRunFilter(name=FlowRunFilterName(any_=["dies on coloured"]))
        (run,) = client.read_flow_runs(flow_run_filter=of_name)
    assert run.state.is_crashed()


def wait_for_epoch(log: Path, host: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while "/10000 " not in log.read_text(errors="replace"):
        assert host.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.3)
