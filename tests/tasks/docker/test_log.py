import contextlib
from datetime import datetime

from tasks.runners.docker.log import LogReader


class Log:
    """A container's log as the engine gives it: whole seconds are the finest `since` it is asked for."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.asked: list[int | None] = []

    def logs(self, *, timestamps: bool, since: int | None) -> bytes:
        self.asked.append(since)
        told = [line for line in self.lines if since is None or datetime.fromisoformat(line[0]).timestamp() >= since]
        return "".join(f"{stamp} {text}\n" for stamp, text in told).encode("utf-8", "surrogateescape")


def stamp(fraction: int, second: int = 0) -> str:
    return f"2026-11-24T07:20:{second:02}.{fraction:09}Z"


def test_each_line_is_given_once():
    log = Log()
    reader = LogReader(log)
    assert reader.new_lines() == []
    log.lines += [(stamp(1), "a"), (stamp(2), "b")]
    assert reader.new_lines() == ["a", "b"]
    assert reader.new_lines() == []
    log.lines += [(stamp(3), "c")]
    assert reader.new_lines() == ["c"]
    assert log.asked == [None, None, 1795504795, 1795504795]


def test_lines_of_one_instant_are_told_apart():
    log = Log()
    reader = LogReader(log)
    log.lines += [(stamp(1), "same"), (stamp(1), "same")]
    assert reader.new_lines() == ["same", "same"]
    log.lines += [(stamp(1), "same"), (stamp(1), "third"), (stamp(0, second=1), "next")]
    assert reader.new_lines() == ["same", "third", "next"]
    assert reader.new_lines() == []


def test_a_line_with_an_earlier_stamp_that_comes_later_is_not_lost():
    log = Log()
    reader = LogReader(log)
    log.lines += [(stamp(0, second=9), "to stderr")]
    assert reader.new_lines() == ["to stderr"]
    log.lines.insert(0, (stamp(9, second=8), "to stdout"))
    assert reader.new_lines() == ["to stdout"]
    log.lines += [(stamp(0, second=30), "much later")]
    assert reader.new_lines() == ["much later"]
    assert reader.new_lines() == []


def test_a_call_that_fails_loses_no_line(monkeypatch):
    log = Log()
    reader = LogReader(log)
    log.lines += [(stamp(1), "a")]
    assert reader.new_lines() == ["a"]
    log.lines += [(stamp(2), "b")]

    def broken(**_):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(log, "logs", broken)
        with contextlib.suppress(ConnectionError):
            reader.new_lines()
    assert reader.new_lines() == ["b"]


def test_a_line_may_hold_anything():
    log = Log()
    log.lines += [(stamp(1), "50%\r100%"), (stamp(2), ""), (stamp(3), "caf\udce9"), (stamp(4), " indented\x0b")]
    assert LogReader(log).new_lines() == ["50%\r100%", "", "caf\ufffd", " indented\x0b"]
