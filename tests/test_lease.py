import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from bloodcell import artifacts
from bloodcell.errors import StorageError, TransientError
from bloodcell.holder import Holder
from bloodcell.interruption import Interruption
from bloodcell.lease import Lease, leased
from bloodcell.store import LocalStore

SECONDS = 2.0


def hold(store, *, is_done=lambda: False, say=lambda sentence: None, seconds=SECONDS):
    return leased(store, "key", seconds=seconds, interruption=Interruption(), is_done=is_done, say=say)


def holders(store) -> list[Holder]:
    """Those whose lease is not given back."""
    found = [Holder.model_validate_json(store.read(name)) for name in names(store)]
    return [holder for holder in found if not holder.given_back]


def names(store) -> list[str]:
    return list(store.list("experiments/key/leases/"))


@pytest.fixture
def elsewhere() -> Holder:
    """A process of another machine."""
    return Holder.this_process().model_copy(update={"processes": "another", "host": "far"})


def held_by(store, holder: Holder, number: int = 1) -> None:
    artifacts.write_model(store, artifacts.lease("key", f"{number:06}.json"), holder)


def test_it_is_there_while_it_is_held_and_given_back_after(store):
    with hold(store) as lease:
        lease.verify()
        assert names(store) == [artifacts.lease("key", "000001.json")]
        assert len(holders(store)) == 1
    assert holders(store) == []
    with hold(store) as lease:  # no number comes twice
        assert names(store)[-1] == artifacts.lease("key", "000002.json")
        lease.clear()
    assert names(store) == []


def test_it_is_given_back_by_who_fails(store):
    with pytest.raises(ZeroDivisionError), hold(store):
        raise ZeroDivisionError
    assert holders(store) == []


def test_one_of_many_has_it_at_a_time(store):
    inside, most = 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with hold(store, seconds=20):
            inside += 1
            most = max(most, inside)
            time.sleep(0.05)
            inside -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert most == 1
    assert holders(store) == []


def test_a_holder_that_falls_silent_is_waited_for_and_then_taken_over(store, elsewhere):
    held_by(store, elsewhere)
    said, began = [], time.monotonic()
    with hold(store, say=said.append):
        assert time.monotonic() - began > SECONDS
        assert names(store)[-1] == artifacts.lease("key", "000002.json")
    assert said[0] == f"another process, {elsewhere.process} on far, trains this experiment: waiting for it"
    assert names(store) == [artifacts.lease("key", "000002.json")]
    assert holders(store) == []


def test_a_holder_that_lives_keeps_it_for_longer_than_it_lasts(store):
    seconds = 5.0  # a renewal waits for the disk, which may have others to serve
    with hold(store, seconds=seconds):
        done_at = time.monotonic() + 2 * seconds
        with hold(store, seconds=seconds, is_done=lambda: time.monotonic() > done_at) as lease:
            assert lease is None
    assert time.monotonic() > done_at


def test_nothing_is_taken_where_nothing_is_left_to_do(store):
    with hold(store, is_done=lambda: True) as lease:
        assert lease is None
        assert names(store) == []


def test_a_holder_of_this_machine_that_was_killed_is_not_waited_for(store):
    program = (
        "import os; from bloodcell.interruption import Interruption; from bloodcell.lease import Lease\n"
        "from bloodcell.store import open_store\n"
        f"lease = Lease(open_store({store.url!r}), 'key', 60, Interruption())\n"
        "assert lease.take(lambda: False, print)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert len(holders(store)) == 1
    began = time.monotonic()
    with hold(store, seconds=60):
        assert time.monotonic() - began < 30


def test_a_process_id_that_another_process_has_got_is_no_sign_of_life():
    here = Holder.this_process()
    assert here.process == os.getpid()
    assert not here.is_free
    assert here.model_copy(update={"ticks": here.ticks - 1}).is_free
    assert not here.model_copy(update={"ticks": here.ticks - 1, "processes": ""}).is_free
    assert not here.model_copy(update={"ticks": here.ticks - 1, "processes": "another boot"}).is_free


def test_a_clock_that_is_set_ends_nobody(monkeypatch):
    here = Holder.this_process()
    now = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: now + 3600)
    assert not here.is_free


def test_who_was_paused_while_others_came_and_went_stops_and_leaves_their_lease_alone(store):
    paused = Lease(store, "key", 60, Interruption())
    assert paused.take(lambda: False, print)
    store.delete(names(store)[0])
    with hold(store, seconds=60):  # under the number that the paused one has
        before = store.read(names(store)[0])
        with pytest.raises(TransientError):
            paused.verify()
        paused.release()
        assert store.read(names(store)[0]) == before
    assert paused.is_lost


def test_nothing_is_trained_where_the_holder_ended_between_two_looks(store):
    answers = [False, True]
    with hold(store, is_done=lambda: answers.pop(0)) as lease:
        assert lease is None
    assert names(store) == []


def test_an_orphan_that_does_not_end_by_itself_is_ended(store):
    """One whose main thread hangs, and whose runner was killed: no watchdog is left."""
    hangs = (
        "import time; from bloodcell.interruption import Interruption; from bloodcell.lease import Lease\n"
        "from bloodcell.store import open_store\n"
        f"lease = Lease(open_store({store.url!r}), 'key', 2, Interruption())\n"
        "assert lease.take(lambda: False, print)\n"
        "print('held', flush=True); time.sleep(600)"
    )
    runner = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {hangs!r}]); input()"
    with subprocess.Popen(
        [sys.executable, "-c", runner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        (holder,) = holders(store)
        process.kill()
        assert process.stdout.read() == ""  # until the orphan, which has the other end, is gone
    deadline = time.monotonic() + 10
    while not holder.is_free:  # its files are closed a moment before it is gone
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_was_taken_over_is_told(store, elsewhere):
    with hold(store) as lease:
        held_by(store, elsewhere, 2)
        deadline = time.monotonic() + 10 * SECONDS
        while not lease.is_lost:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(TransientError, match="taken over by another process"):
            lease.check()
    assert holders(store)[-1] == elsewhere  # whose lease stays


def test_a_lease_that_cannot_be_read_runs_out(store):
    store.write(artifacts.lease("key", "000007.json"), b"{")
    with hold(store):
        assert names(store)[-1] == artifacts.lease("key", "000008.json")


def test_a_store_that_fails_meanwhile_loses_nothing(store, monkeypatch):
    with hold(store) as lease:
        failing = [True]
        write = LocalStore.write

        def fail(self, name, data):
            if failing:
                failing.append(True)
                raise StorageError("gone", remedy="wait")
            write(self, name, data)

        monkeypatch.setattr(LocalStore, "write", fail)
        while len(failing) < 3:
            time.sleep(0.05)
        failing.clear()
        before = store.read(names(store)[0])
        deadline = time.monotonic() + 10 * SECONDS
        while store.read(names(store)[0]) == before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        lease.check()
