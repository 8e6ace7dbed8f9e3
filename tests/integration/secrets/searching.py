"""Find credentials in bytes: as they are, encoded, and inside of what is compressed."""

import base64
import gzip
import html
import io
import json
import lzma
import zipfile
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq
from PIL import Image


def found(data: bytes, secrets: Mapping[str, str]) -> set[str]:
    """Names of the secrets that the bytes hold in any form, those inside an archive or a picture too."""
    encoded = {name: _forms(secret) for name, secret in secrets.items()}
    return {
        name for content in _contents(data) for name, forms in encoded.items() if any(form in content for form in forms)
    }


def _forms(secret: str) -> set[bytes]:
    """The secret as it is written, in a URL, in JSON, in HTML, in hexadecimal digits, and within any base64."""
    plain = secret.encode()
    texts = {
        secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret),
        json.dumps(secret)[1:-1], plain.hex(), plain.hex().upper(),
    }  # fmt: skip
    return {text.encode() for text in texts} | set(_base64(plain))


def _base64(plain: bytes) -> Iterator[bytes]:
    """What does not depend on the secret's neighbours: its groups of three bytes, wherever the first begins."""
    for start in range(3):
        groups = plain[start : start + (len(plain) - start) // 3 * 3]
        yield from (base64.b64encode(groups), base64.urlsafe_b64encode(groups))


def _contents(data: bytes) -> Iterator[bytes]:
    """The bytes, and those of everything inside, however deep."""
    yield data
    for inner in _inside(data):
        yield from _contents(inner)


def _inside(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif data.startswith(b"\xfd7zXZ\0"):
        yield lzma.decompress(data)
    elif data.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(data))
        yield repr((table.schema.metadata, table.column_names)).encode()
        for column in table.itercolumns():
            yield from (value if isinstance(value, bytes) else str(value).encode() for value in column.to_pylist())
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()  # chunks of text may follow the pixels
            yield repr((picture.info, dict(picture.getexif()))).encode()
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive.comment
            for member in archive.infolist():
                yield member.filename.encode() + b"\0" + member.comment
                yield archive.read(member)
