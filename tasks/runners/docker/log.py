"""A container's log, read in pieces."""

from collections import Counter
from datetime import datetime

from docker.models.containers import Container

_OVERLAP_SECONDS = 5
"""Docker stamps stdout and stderr apart, so that a line may be written after one with a later stamp."""


class LogReader:
    """Lines of a container's log, each given once.

    Each call asks for what came since a little before the last line. So no connection is held that could break, and a
    call that fails loses nothing: the next one gives its lines.

    Args:
        container: Whose log.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._last = ""
        self._given: Counter[str] = Counter()  # lines of the last call, stamps and all

    def new_lines(self) -> list[str]:
        """Lines since the last call, without their time stamps."""
        since = int(datetime.fromisoformat(self._last).timestamp()) - _OVERLAP_SECONDS if self._last else None
        printed = self._container.logs(timestamps=True, since=since)
        lines = printed.decode(errors="replace").split("\n")[:-1]  # \r and its like are part of a line
        given, self._given = self._given, Counter(lines)
        new = []
        for line in lines:
            if given[line]:
                given[line] -= 1
                continue
            stamp, _, text = line.partition(" ")
            self._last = max(self._last, stamp)
            new.append(text)
        return new
