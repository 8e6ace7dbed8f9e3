"""What a fork server does not fork; the rest of it is in tests/tasks/test_forked.py."""

import os
import socket
from threading import Event, Thread

from bloodcell import fork_server


def test_beside_another_thread_nothing_is_forked():
    end, other = socket.socketpair()
    over = Event()
    beside = Thread(target=over.wait)
    beside.start()
    try:
        process = fork_server._fork(end)
        if process == 0:  # else the rest of the tests would run twice
            os._exit(1)
        assert process is None
    finally:
        over.set()
        beside.join()
        end.close()
        other.close()
