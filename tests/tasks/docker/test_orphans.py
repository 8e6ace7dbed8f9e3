"""Beside the real engine of the integration tests: what one cannot be made to do."""

from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace

import pytest
import requests
from docker.errors import APIError

from tasks.runners.docker.orphans import reap
from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import OWNER_LABEL


@dataclass
class Orphan:
    """A container whose owner is gone."""

    name: str
    error: Exception | None = None
    removed: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owner = Owner.this_process().model_copy(update={"ticks": 1.0})
        self.labels = {OWNER_LABEL: owner.model_dump_json(), "bloodcell.row": "basic", "bloodcell.run": "r"}

    def stop(self, timeout: int) -> None:
        if self.error:
            raise self.error

    def remove(self, *, force: bool, v: bool) -> None:
        if self.error:
            raise self.error
        self.removed = True


refusal = requests.Response()
refusal.status_code = HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    "error",
    [
        APIError("tried to kill container, but did not receive an exit event", refusal),
        requests.ReadTimeout("Read timed out"),
    ],
)
def test_one_that_cannot_be_ended_keeps_nobody_from_starting(error):
    orphans = [Orphan("wedged", error), Orphan("other")]
    lines: list[str] = []
    reap(SimpleNamespace(containers=SimpleNamespace(list=lambda **_: orphans)), 1, lines.append)
    assert lines[0].startswith("container wedged (basic of r) could not be removed, and holds its GPU if it has one: ")
    assert lines[1] == "removed container other (basic of r): the grid run that started it is gone"
    assert orphans[1].removed
