"""Replies that are lost though the server did what it was asked, and bytes that arrive as others."""

import pytest

from bloodcell.errors import CorruptObjectError
from tests.faults import kinds
from tests.faults.uses import LARGE, SMALL, about


@pytest.mark.parametrize("losses", [1, 4], ids=["botocore tries again", "the store does"])
def test_an_object_is_ours_though_we_never_heard_of_it(store, direct, proxy, losses):
    proxy.next(*[kinds.lost_reply] * losses, when=lambda exchange: exchange.method == "PUT")
    assert store.create("a", SMALL)
    assert direct.read("a") == SMALL
    assert len(proxy.met) == losses


@pytest.mark.parametrize("fault", [kinds.lost_reply, kinds.ERROR, kinds.NO_BUCKET])
def test_an_object_is_not_ours_where_another_was_first(store, direct, proxy, fault):
    direct.write("a", b"another's")
    proxy.next(*[fault] * 2, when=lambda exchange: exchange.method == "PUT")
    assert not store.create("a", SMALL)
    assert direct.read("a") == b"another's"


def test_an_upload_whose_end_was_lost(store, direct, proxy, tmp_path):
    (tmp_path / "in").write_bytes(LARGE)
    proxy.next(kinds.lost_reply, when=lambda exchange: exchange.method == "POST" and "uploadId=" in exchange.path)
    store.upload(tmp_path / "in", "a")
    assert len(proxy.met) == 1
    assert direct.read("a") == LARGE


@pytest.mark.parametrize("times", [1, 2])
def test_damaged_bytes_are_fetched_again(uses, proxy, times):
    for use in ("read", "download"):
        proxy.next(*[kinds.flipped] * times, when=about(use))
    uses.read()
    uses.download()
    assert len(proxy.met) == 2 * times


def test_an_object_is_damaged_that_is_so_three_times(uses, proxy, tmp_path):
    proxy.all(kinds.flipped, when=lambda exchange: exchange.fetches_object)
    error, _ = uses.outcome("read")
    assert type(error) is CorruptObjectError
    assert len(proxy.met) == 3
    error, _ = uses.outcome("download")
    assert type(error) is CorruptObjectError
    assert len(proxy.met) == 3 + 3 * 2  # parts
    assert list((tmp_path / "out").iterdir()) == []


def test_bytes_that_are_damaged_on_their_way_there(store, direct, proxy, tmp_path):
    (tmp_path / "in").write_bytes(LARGE)
    proxy.next(kinds.flipped_upload, when=lambda exchange: exchange.method == "PUT")
    store.write("a", SMALL)
    assert direct.read("a") == SMALL
    proxy.next(kinds.flipped_upload, when=lambda exchange: "partNumber=" in exchange.path)
    store.upload(tmp_path / "in", "b")
    assert direct.read("b") == LARGE
    assert len(proxy.met) == 2
