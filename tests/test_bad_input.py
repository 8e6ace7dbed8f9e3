"""Each bad input ends in an exit code of its own, one clear message and a remedy; never in a traceback."""

import io
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from bloodcell import cli
from bloodcell.errors import DataError
from flows.grid import __main__ as flow


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings):
    """Runs a command line in this process; returns its exit code and what it said."""

    def run(main, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


def jpeg(colour: str, size: tuple[int, int] = (16, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


GOOD = {"A/red.jpg": jpeg("red"), "B/blue.jpg": jpeg("blue")}

ARCHIVES = {
    "truncated image": (GOOD | {"A/cut.jpg": jpeg("green")[:-100]}, "A/cut.jpg"),
    "unreadable image": (GOOD | {"A/text.jpg": b"not an image"}, "A/text.jpg"),
    "empty class": (GOOD | {"C/": b""}, "C"),
    "one class only": ({"A/red.jpg": jpeg("red")}, "one class"),
    "no images": ({"readme.txt": b"hello"}, "no images"),
    "zip with ../ names": (GOOD | {"../../evil.jpg": jpeg("green")}, "../../evil.jpg"),
    "zip bomb": (GOOD | {"A/bomb.jpg": b"\0" * 50_000_000}, "bad.zip"),
    "one image under two classes": ({"A/x.jpg": jpeg("red"), "B/x.jpg": jpeg("red")}, "B/x.jpg"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_is_no_dataset(command, store, tmp_path: Path, case: str):
    files, named = ARCHIVES[case]
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    code, said = command(cli.main, "data", "push", str(path))
    assert code == 65
    assert named in said
    assert "Remedy: " in said
    assert "Traceback" not in said
    assert not (tmp_path / "evil.jpg").exists()
    assert list(store.list("datasets/")) == []


@pytest.mark.parametrize("content", [b"plain text", b"PK\x03\x04 broken"])
def test_not_a_zip(command, tmp_path: Path, content: bytes):
    path = tmp_path / "bad.zip"
    path.write_bytes(content)
    code, said = command(cli.main, "data", "push", str(path))
    assert code == 65
    assert "bad.zip" in said


def test_an_archive_that_is_not_there(command, tmp_path: Path):
    code, said = command(cli.main, "data", "push", str(tmp_path / "none.zip"))
    assert code == 65
    assert "none.zip" in said


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("backbone=VGG19", "'VGG16'; received 'VGG19' (did you mean 'VGG16'?)"),
        ("split=sources", "received 'sources' (did you mean 'source'?)"),
        ("learning_rate=-1", "learning_rate: Input should be greater than 0; received -1"),
        ("learnin_rate=1", "did you mean 'learning_rate'?"),
        ("image_size=74", "InceptionV3 accepts 75 px or more"),
        ("epochs", "accepted is FIELD=VALUE"),
        ("epochs=[", "not YAML"),
        ("weights=none.weights.h5", "none.weights.h5"),
    ],
)
def test_a_setting_that_is_not_accepted(command, coloured, assignment: str, named: str):
    code, said = command(flow.main, "--dataset", "coloured", "--set", assignment)
    assert code == 78
    assert named in said
    assert "Remedy: " in said


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["--grid", "unknown"], 78, "accepted are backbones, blood-cell"),
        (["--dataset", "none"], 65, "dataset is 'none'"),
        (["--dataset", "../x"], 78, "dataset"),
    ],
)
def test_a_grid_or_dataset_that_is_not_there(command, arguments, code, named):
    ended, said = command(flow.main, *arguments)
    assert ended == code
    assert named in said


@pytest.mark.parametrize(
    ("dataset", "named", "remedy"),
    [
        ("celled", "test images and 15 of 15 validation images with split pooled have a sibling", "set split: source"),
        ("coloured", "the source cells of coloured are not known", "bloodcell data group coloured"),
    ],
)
def test_leakage_where_none_is_accepted(command, store, celled, coloured, dataset, named, remedy):
    arguments = ["--dataset", dataset, "--set", "split=pooled", "--set", "weights=none", "--set", "batch_size=8"]
    code, said = command(flow.main, *arguments, "--strict")
    assert code == 65
    assert named in said
    assert remedy in said.partition("Remedy: ")[2]
    assert "Traceback" not in said
    assert [path.name for path in store.root.iterdir()] == ["datasets"]


def test_a_check_finds_what_is_wrong_without_a_dataset(command):
    code, said = command(flow.main, "--dataset", "none", "--set", "epochs=0", "--check")
    assert code == 78
    assert "epochs" in said
    assert command(flow.main, "--dataset", "none", "--check")[0] == 0


def test_a_store_of_an_unknown_kind(command, monkeypatch):
    monkeypatch.setenv("BLOODCELL_STORE", "ftp://host/path")
    code, said = command(cli.main, "data", "list")
    assert code == 78
    assert "ftp://host/path" in said


def test_a_setting_of_the_environment_that_is_not_accepted(command, monkeypatch):
    monkeypatch.setenv("BLOODCELL_SLOTS", "0")
    code, said = command(cli.main, "data", "list")
    assert code == 78
    assert "BLOODCELL_SLOTS" in said


def limited_to(size: int):
    """For a child: no file may grow past `size` bytes, which its writes meet as they meet a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_at_push_leaves_no_dataset(settings, store, coloured_folder):
    child = subprocess.run(
        [sys.executable, "-m", "bloodcell", "data", "push", str(coloured_folder)],
        capture_output=True, text=True, check=False, preexec_fn=limited_to(10_000),
    )  # fmt: skip
    assert child.returncode == 78
    assert "no space left" in child.stderr
    assert "Traceback" not in child.stderr
    assert [name for name in store.list("datasets/") if name.endswith(".json")] == []


def test_a_full_disk_in_an_experiment_fails_it_with_words(settings, store, spec):
    child = subprocess.run(
        [sys.executable, "-m", "bloodcell", "run", "--key", spec.key],
        capture_output=True, text=True, check=False, preexec_fn=limited_to(100_000),
    )  # fmt: skip
    assert child.returncode == 78
    assert "no space left" in child.stdout
    assert not store.exists(f"experiments/{spec.key}/result.json")


def test_a_store_without_permission(command, monkeypatch, tmp_path, coloured_folder):
    if os.geteuid() == 0:
        closed = Path("/sys")  # the one folder where the superuser may make nothing either
    else:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
    monkeypatch.setenv("BLOODCELL_STORE", f"file://{closed}/store")
    code, said = command(cli.main, "data", "push", str(coloured_folder))
    assert code == 78
    assert "no permission" in said


def test_codes_are_those_of_sysexits():
    assert DataError.exit_code == os.EX_DATAERR
