"""A search that finds nothing proves something only if it would find it."""

import base64
import gzip
import io
import json
import lzma
import sqlite3
import zipfile
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from tests.integration.secrets.searching import found

SECRET = "kq3/Zr+8w=planted<&>-xq"


def zipped(data: bytes, name: str = "member") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def parquet(values: list, metadata: dict | None = None) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"x": values}).replace_schema_metadata(metadata), file, compression="zstd")
    return file.getvalue()


def png(kind: str, text: str) -> bytes:
    file, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    {"tEXt": chunks.add_text, "iTXt": chunks.add_itxt}[kind]("comment", text, zip=True)
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def database(text: str, tmp_path) -> bytes:
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("create table logs (message text)")
        connection.execute("insert into logs values (?)", (text,))
    connection.close()
    return path.read_bytes()


def planted(secret: str, tmp_path) -> dict[str, bytes]:
    """The secret in every hiding place."""
    line = f"before {secret} after"
    plain = line.encode()
    return {
        "plain": plain,
        "JSON": json.dumps({"x": line}).encode(),
        "URL": b"http://host/?x=" + quote(secret, safe="").encode() + b"&y",
        "path of a URL": b"http://host/" + quote(secret).encode(),
        "hexadecimal": b"0x" + secret.encode().hex().encode(),
        **{f"base64 at {n}": base64.b64encode(b"x" * n + plain) for n in range(4)},
        **{f"URL's base64 at {n}": base64.urlsafe_b64encode(b"x" * n + plain) for n in range(4)},
        "basic authentication": b"Authorization: Basic " + base64.b64encode(b"user:" + secret.encode()),
        "gzip": gzip.compress(plain),
        "xz": lzma.compress(plain),
        "zip": zipped(plain),
        "name in a zip": zipped(b"", name=line),
        "zip in a zip": zipped(zipped(gzip.compress(plain))),
        "parquet": parquet([line]),
        "bytes in a parquet": parquet([gzip.compress(plain)]),
        "metadata of a parquet": parquet([1], {"x": secret}),
        "text of a PNG": png("tEXt", line),
        "international text of a PNG": png("iTXt", line),
        "database": database(line, tmp_path),
    }


@pytest.mark.parametrize("secret", [SECRET, SECRET[:-1], SECRET[:-2]], ids=len)
def test_a_secret_is_found_wherever_it_hides(secret, tmp_path):
    places = planted(secret, tmp_path)
    assert [place for place, data in places.items() if found(data, {"it": secret}) != {"it"}] == []


def test_another_secret_is_not(tmp_path):
    assert [place for place, data in planted(SECRET, tmp_path).items() if found(data, {"it": "another-secret"})] == []
