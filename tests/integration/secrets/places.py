"""Where a credential could come to lie, as bytes by the place's name."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import httpx
import psutil

from bloodcell.store.s3_client import s3_client
from tests.integration.orchestration import Prefect

_RECORDS = (
    "flows", "flow_runs", "task_runs", "artifacts", "logs", "deployments", "variables", "block_documents", "work_pools",
    "automations",
)  # fmt: skip
_PAGE = 200


def prefect_records(prefect: Prefect) -> dict[str, bytes]:
    """All that the server's API has, by kind."""
    user, _, password = (prefect.auth or ":").partition(":")
    with httpx.Client(base_url=prefect.api, auth=(user, password), timeout=30) as client:
        return {f"API: {kind}": b"\n".join(_pages(client, kind)) for kind in _RECORDS}


def _pages(client: httpx.Client, kind: str) -> Iterator[bytes]:
    offset = 0
    while True:
        reply = client.post(f"/{kind}/filter", json={"limit": _PAGE, "offset": offset}).raise_for_status()
        yield reply.content
        if len(reply.json()) < _PAGE:
            return
        offset += _PAGE


def database(prefect: Prefect) -> bytes:
    """Every row of the server's database, also of the tables that its API does not show."""
    with closing(sqlite3.connect(f"file:{prefect.home / 'prefect.db'}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return "\n".join(repr(row) for name in tables for row in connection.execute(f'select * from "{name}"')).encode()


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; of a database its pages, also those that are free."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects(bucket: str) -> dict[str, bytes]:
    """Every object of a bucket, with its name and its metadata."""
    client, found = s3_client(), {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", ()):
            reply = client.get_object(Bucket=bucket, Key=item["Key"])
            found[f"object {item['Key']}"] = reply["Body"].read()
            found[f"metadata of {item['Key']}"] = json.dumps([item["Key"], reply["Metadata"]]).encode()
    return found


@contextmanager
def seen_meanwhile(look: Callable[[], Iterator[bytes]]) -> Iterator[set[bytes]]:
    """All that a look shows while the block runs, twice a second."""
    seen: set[bytes] = set()
    over = Event()

    def watch() -> None:
        while not over.wait(0.5):
            seen.update(look())

    thread = Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def command_lines() -> Iterator[bytes]:
    """Those of all processes of this machine."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield "\0".join(process.cmdline()).encode()
