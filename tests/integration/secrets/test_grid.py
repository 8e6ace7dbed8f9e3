"""Credentials are in the environment of what needs them, and nowhere else: a grid runs, and everything is searched."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict

from tests.integration.secrets.places import command_lines, database, files, objects, prefect_records, seen_meanwhile
from tests.integration.secrets.quoting import quoting_server
from tests.integration.secrets.searching import found

DATABASE = "prefect.db"

SIGNER = re.compile(rb"X-Amz-Credential=[^&%]+%2F")
"""A signed link names the key that signed it, which is its purpose; the key's secret is not in it."""


def leaks(places: Mapping[str, bytes], host) -> dict[str, set[str]]:
    """Which credentials each place holds, where it holds one."""
    by_place = {place: found(SIGNER.sub(b"", data), asdict(host.planted)) for place, data in places.items()}
    return {place: names for place, names in by_place.items() if names}


def without_canary(places: Mapping[str, bytes], host, *expected: str) -> list[str]:
    """Places of those expected in which the search does not even find the grid's name: nothing would be found there."""
    return [place for place in expected if not found(places[place], {"grid": host.grid})]


def everywhere(host) -> dict[str, bytes]:
    """All that a grid run leaves, but for what it prints."""
    kept = {name: data for name, data in files(host.prefect.home).items() if not name.startswith(DATABASE)}
    return prefect_records(host.prefect) | {"database": database(host.prefect)} | kept | objects("bloodcell")


def in_pages_of_the_database(host) -> set[str]:
    """Credentials in the database's files: in pages that are free, too.

    A link that goes on in another page has lost the words that excuse its key's name.
    """
    pages = {name: data for name, data in files(host.prefect.home).items() if name.startswith(DATABASE)}
    assert found(b"".join(pages.values()), {"grid": host.grid})
    return set().union(*leaks(pages, host).values()) - {"access"}


def test_a_grid_run_by_the_command_leaves_no_credential(host):
    """With a lasting key, whose links are signed; one row fails."""
    grid = host.write_grid(**{"works": {}, "too-large": {"batch_size": 1000}})
    command = [sys.executable, "-m", "flows.grid", "--grid", grid]
    with seen_meanwhile(command_lines) as lines:
        ended = subprocess.run(command, env=host.environment(host.s3.url), capture_output=True, check=False)
    assert ended.returncode == 78, ended.stderr.decode()
    places = everywhere(host) | {"stdout": ended.stdout, "stderr": ended.stderr, "command lines": b"\n".join(lines)}
    report = next(place for place in places if place.startswith("object ") and place.endswith("report.html"))
    expected = (
        "API: flow_runs",
        "API: logs",
        "API: artifacts",
        "database",
        report,
        "stdout",
        "stderr",
        "command lines",
    )
    assert without_canary(places, host, *expected) == []
    assert b"batch larger than the set" in places["API: logs"]
    assert SIGNER.search(places["API: artifacts"])
    assert leaks(places, host) == {}
    assert in_pages_of_the_database(host) == set()
    copy = {"a copy": places[report] + host.planted.secret.encode()}
    assert leaks(copy, host) == {"a copy": {"secret"}}


def test_a_grid_run_by_a_worker_leaves_no_credential_though_the_store_quotes_them(host):
    """With temporary credentials, with which no link is signed; the store refuses one row, and quotes all it knows."""
    planted, prefect = host.planted, host.prefect
    prefect.run("work-pool", "create", "grids", "--type", "process", "--overwrite")
    prefect.run("deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
    quoted = (planted.access, planted.secret, planted.endpoint, planted.prefect, planted.registry)
    grid = host.write_grid(works={}, refused={"dropout": 0.3125})
    with quoting_server(host.s3, b"0.3125", *quoted) as address:
        environment = host.environment(address, AWS_SESSION_TOKEN=planted.token)
        with seen_meanwhile(command_lines) as lines, prefect.worker("grids", "secretive", environment):
            run = prefect.wait(prefect.start("grid/blood-cell", grid=grid), seconds=300)
            # Prefect sends logs in a thread, seconds after the state; what has no worker any more is not sent.
            prefect.eventually(lambda: b"OddRefusal" in prefect_records(prefect)["API: logs"])
    assert run.state.is_failed()
    assert "1 of 2 experiments failed.\nrefused: cannot use experiments/" in run.state.message
    places = everywhere(host) | {"command lines": b"\n".join(lines)}
    assert b"OddRefusal" in places["API: logs"]
    expected = ("API: flow_runs", "API: logs", "API: artifacts", "database", "secretive.log")
    assert without_canary(places, host, *expected) == []
    assert leaks(places, host) == {}
    assert in_pages_of_the_database(host) == set()
