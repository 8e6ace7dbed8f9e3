from pathlib import Path

import pytest
import tensorflow as tf

from bloodcell.data import tfrecord

RECORDS = [b"", b"a", b"\x00" * 1000, bytes(range(256))]


def test_tensorflow_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "00000.tfrecord"
    path.write_bytes(b"".join(map(tfrecord.encode, RECORDS)))
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == RECORDS


def test_it_is_what_tensorflow_writes(tmp_path: Path) -> None:
    path = tmp_path / "00000.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert path.read_bytes() == b"".join(map(tfrecord.encode, RECORDS))


@pytest.mark.parametrize("position", range(len(tfrecord.encode(b"bytes"))))
def test_a_changed_byte_anywhere_is_found_by_who_reads_it(tmp_path: Path, position: int) -> None:
    data = bytearray(tfrecord.encode(b"bytes"))
    data[position] ^= 1
    (tmp_path / "damaged.tfrecord").write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(tmp_path / "damaged.tfrecord")))
