"""A Prefect server on PostgreSQL, as compose.yaml has it: it starts, takes the deployments, and a run completes."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deployments.conftest import has_ended


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of an empty database on a PostgreSQL server of the tests' own."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if os.geteuid() != 0:
        pytest.skip("PostgreSQL refuses to run as root, and starting it as another user needs root")
    folder = Path(tempfile.mkdtemp(prefix="bloodcell-postgresql-"))  # pytest's own folders are closed to that user
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)

    def run(program: str, *arguments: str) -> None:
        command = [programs / program, *arguments]
        subprocess.run(command, cwd=folder, user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=True)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    data = str(folder / "data")
    run("initdb", f"--pgdata={data}", "--auth=trust", "--no-sync")
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    run("pg_ctl", "start", f"--pgdata={data}", f"--log={folder}/log", f"--options={options}", "--wait")
    try:
        run("createdb", "--host=127.0.0.1", f"--port={port}", "prefect")
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/prefect"
    finally:
        run("pg_ctl", "stop", f"--pgdata={data}", "--mode=immediate", "--wait")
        shutil.rmtree(folder)


@pytest.mark.long
def test_a_grid_is_deployed_scheduled_and_run(database, new_stack, own_environment, small_grid):
    stack = new_stack(own_environment | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database})
    started = stack.make("up")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        run = stack.wait(stack.start("grid/blood-cell", grid=small_grid), has_ended)
        assert run.state.is_completed(), run.state.message
        assert stack.nights(at_least=3)
        assert not list(stack.folder.rglob("prefect.db"))  # all of it is in PostgreSQL
    finally:
        stopped = stack.make("down")
    assert stopped.returncode == 0, stopped.stderr
