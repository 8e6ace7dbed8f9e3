"""A container's log, read in pieces."""

from datetime import datetime

from docker.models.containers import Container


class LogReader:
    """Lines of a container's log, each given once.

    Each call asks for what came since the last line. So no connection is held that could break, and a call that
    fails loses nothing: the next one gives its lines.

    Args:
        container: Whose log.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._last = ""
        self._given = 0  # lines at the time stamp `_last`

    def new_lines(self) -> list[str]:
        """Lines since the last call, without their time stamps."""
        since = int(datetime.fromisoformat(self._last).timestamp()) if self._last else None
        printed = self._container.logs(timestamps=True, since=since)
        lines = []
        seen = 0
        for line in printed.decode(errors="replace").split("\n")[:-1]:  # \r and its like are part of a line
            stamp, _, text = line.partition(" ")
            if stamp < self._last:
                continue
            if stamp == self._last:
                seen += 1
                if seen <= self._given:
                    continue
            else:
                self._last, seen = stamp, 1
            self._given = seen
            lines.append(text)
        return lines
