import io
import os
from pathlib import Path

import pytest

from bloodcell.data import tfrecord
from bloodcell.errors import CorruptObjectError

RECORDS = [b"", b"one", bytes(range(256)) * 40, os.urandom(1000)]


def decoded(data: bytes) -> list[bytes]:
    return list(tfrecord.decode(io.BytesIO(data), name="shards/00000.tfrecord"))


def encoded() -> bytes:
    return b"".join(map(tfrecord.encode, RECORDS))


def test_what_is_encoded_decodes() -> None:
    assert decoded(encoded()) == RECORDS
    assert decoded(b"") == []


def test_tensorflow_reads_it(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / "00000.tfrecord"
    path.write_bytes(encoded())
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == RECORDS


def test_it_reads_what_tensorflow_writes(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / "00000.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert path.read_bytes() == encoded()


@pytest.mark.parametrize("position", range(len(tfrecord.encode(b"bytes"))))
def test_a_changed_byte_anywhere_is_found(position: int) -> None:
    data = bytearray(tfrecord.encode(b"first") + tfrecord.encode(b"bytes"))
    data[len(tfrecord.encode(b"first")) + position] ^= 1
    with pytest.raises(CorruptObjectError, match=r"record 1 of shards/00000\.tfrecord"):
        decoded(bytes(data))


@pytest.mark.parametrize("length", range(1, len(tfrecord.encode(b"bytes"))))
def test_a_file_that_ends_within_a_record_is_found(length: int) -> None:
    with pytest.raises(CorruptObjectError, match="record 0"):
        decoded(tfrecord.encode(b"bytes")[:length])
