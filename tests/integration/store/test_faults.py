"""Faults that any request may meet. docs/reliability.md names these tests."""

from threading import Timer

import pytest

from bloodcell.errors import TransientError
from bloodcell.store import open_store, s3_patience
from tests.faults import kinds
from tests.faults.kinds import Fault, Slow, Stall
from tests.faults.uses import LARGE, MEBIBYTE, SMALL, about
from tests.integration.store.conftest import PATIENCE, TIMEOUT
from tests.store.aws import set_aws

PASSING: dict[str, Fault] = {
    "500": kinds.ERROR,
    "503": kinds.SLOW_DOWN,
    "reset": kinds.reset,
    "lost reply": kinds.lost_reply,
    "reset in body": kinds.reset_in_body,
    "truncated": kinds.truncated,
    "stall": Stall(3 * TIMEOUT),
    "stall in body": Stall(3 * TIMEOUT, in_body=True),
    "slow link": Slow(2 * MEBIBYTE),  # two and a half timeouts for a part
    "skewed clock": kinds.SKEWED,
    "expired credentials": kinds.EXPIRED,
    "no bucket": kinds.NO_BUCKET,
}
IN_BODY = ("reset in body", "truncated", "stall in body")
"""Faults of a reply's body, which the replies to write and create do not have.

Those to a create that is asked again do, as the first may be late on a busy machine: so create is not spoilt by them.
"""

LASTING = {name: fault for name, fault in PASSING.items() if name != "slow link"}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_noticed(uses, proxy, name):
    for use in uses.names:
        proxy.next(*[PASSING[name]] * 2, when=about(use))
    outcomes = uses.all()
    assert {use: error for use, (error, _) in outcomes.items() if error} == {}
    assert all(any(f"of-{use}" in path for _, _, path in proxy.met) for use in uses.names)


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_stays_is_told_in_time_and_leaves_nothing_half_done(uses, proxy, tmp_path, name):
    in_body = name in IN_BODY
    proxy.all(LASTING[name], when=lambda exchange: not (in_body and about("create")(exchange)))
    outcomes = uses.all()
    proxy.clear()
    for use, (error, seconds) in outcomes.items():
        if in_body and use in ("write", "create"):
            assert error is None, use
        else:
            assert type(error) is TransientError, use
            assert seconds < PATIENCE + 4 * TIMEOUT + 7, use  # the last try begins in time
    assert list((tmp_path / "out").iterdir()) == []
    for use, whole in {"write": SMALL, "create": SMALL, "upload": LARGE}.items():
        assert not uses.direct.exists(f"of-{use}/a") or uses.direct.read(f"of-{use}/a") == whole, use


def test_a_bad_hour(open_at, proxy, tmp_path):
    # In the other tests' five seconds a busy machine tries an upload three times, and any of its parts may fail a try.
    store = open_at(patience=s3_patience.PATIENCE)
    faults = [fault for name, fault in LASTING.items() if "stall" not in name]
    proxy.some(dict.fromkeys([*faults, kinds.flipped], 0.03), seed=1)
    (tmp_path / "in").write_bytes(LARGE)
    for number in range(30):
        assert store.create(f"a/{number:02}", b"%d" % number)
        assert store.exists(f"a/{number:02}")
        assert store.read(f"a/{number:02}") == b"%d" % number
    for number in range(3):
        store.upload(tmp_path / "in", f"b/{number}")
        store.download(f"b/{number}", tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == LARGE
    assert list(store.list("a/")) == [f"a/{number:02}" for number in range(30)]
    assert len(proxy.met) > 20


def test_credentials_that_were_renewed_in_their_file(direct, s3_server, proxy, monkeypatch, tmp_path):
    def write(access: str, secret: str) -> None:
        file.write_text(f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n")

    server, file = s3_server.environment, tmp_path / "credentials"
    write("old", "old-secret")
    direct.write("a", SMALL)
    proxy.clear()
    proxy.all(kinds.EXPIRED, when=lambda exchange: "Credential=old/" in exchange.headers["Authorization"])
    set_aws(monkeypatch, AWS_ENDPOINT_URL=proxy.url, AWS_SHARED_CREDENTIALS_FILE=str(file))
    renewal = Timer(2, write, (server["AWS_ACCESS_KEY_ID"], server["AWS_SECRET_ACCESS_KEY"]))
    renewal.start()
    assert open_store(direct.url, seen=True).read("a") == SMALL
    assert len(proxy.met) >= 2
    renewal.join()
