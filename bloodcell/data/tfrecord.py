"""TFRecord framing without TensorFlow, so that a dataset can be pushed where TensorFlow is not installed.

A record is its length (uint64), the masked CRC32C of the length (uint32), the bytes, and their masked CRC32C
(uint32), all little-endian: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import struct
from collections.abc import Iterator

import google_crc32c

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")


def encode(record: bytes) -> bytes:
    """The record in its frame; a file of records is their concatenation."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def decode(data: bytes) -> Iterator[bytes]:
    """The records of a file whose hash has been checked: the frames' own checksums are passed over."""
    start = 0
    while start < len(data):
        (length,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size + _CRC.size
        yield data[start : start + length]
        start += length + _CRC.size


def _masked_crc(data: bytes) -> bytes:
    # Masked, because the CRC of bytes that hold their own CRC is a constant.
    crc: int = google_crc32c.value(data)
    return _CRC.pack(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
