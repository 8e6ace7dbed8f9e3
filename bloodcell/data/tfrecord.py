"""TFRecord framing without TensorFlow, so that a dataset can be pushed where TensorFlow is not installed.

A record is its length (uint64), the masked CRC32C of the length (uint32), the bytes, and their masked CRC32C
(uint32), all little-endian: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import struct
from collections.abc import Iterator
from typing import IO

import google_crc32c

from bloodcell.errors import CorruptObjectError

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")


def encode(record: bytes) -> bytes:
    """The record in its frame; a file of records is their concatenation."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def decode(file: IO[bytes], *, name: str) -> Iterator[bytes]:
    """The records of a file, in order.

    Args:
        file: Open for reading, at the start of a record.
        name: What to call it in an error.

    Raises:
        CorruptObjectError: It ends within a record, or a checksum does not match.
    """
    number = 0
    while length := file.read(_LENGTH.size):
        _check(length, file.read(_CRC.size), name, number)
        record = file.read(_LENGTH.unpack(length)[0])
        _check(record, file.read(_CRC.size), name, number)
        yield record
        number += 1


def _check(data: bytes, crc: bytes, name: str, number: int) -> None:
    if crc != _masked_crc(data):
        raise CorruptObjectError(
            f"record {number} of {name} is damaged: its CRC32C does not match",
            remedy="delete that dataset version's folder and push the dataset again",
        )


def _masked_crc(data: bytes) -> bytes:
    # Masked, because the CRC of bytes that hold their own CRC is a constant.
    crc: int = google_crc32c.value(data)
    return _CRC.pack(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
