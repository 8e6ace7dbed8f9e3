"""Fuzzing that coverage leads (libFuzzer, through atheris): it goes on from whatever reached code that nothing had.

`make fuzz` gives each target a minute. `python -m tests.hostile.guided [<target>] [libFuzzer's options]` runs one; an
input of which another error comes than the project's own ends it with its traceback, and stays as a file `crash-…`.
"""

import hashlib
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bloodcell", "tasks.runners.base"]):
    from bloodcell import artifacts
    from bloodcell.data.decoding import inspect
    from bloodcell.data.manifest import read_manifest
    from bloodcell.errors import CorruptObjectError, GridError, ImageError
    from bloodcell.grids import grid_names, load_grid
    from bloodcell.printable import printable_lines
    from bloodcell.store import LocalStore
    from tasks.runners.base import Transcript, error_of
    from tests.hostile.fuzzing import only
    from tests.hostile.giving import pushed, read_whole, zipped

from tests.hostile.test_fuzzed_events import EVENT
from tests.hostile.test_fuzzed_ingest import IMAGES

Target = tuple[Callable[[bytes], None], list[bytes]]
"""What bytes are given to, and bytes that it accepts, to begin with."""


def archive(folder: Path) -> Target:
    """A zip file: its members, its layout, and the bytes of each."""
    path = folder / "changed.zip"

    def give(data: bytes) -> None:
        path.write_bytes(data)
        read_whole(path)

    return give, [zipped(folder, {}).read_bytes(), zipped(folder, {"sources.csv": b"path,source\n"}).read_bytes()]


def image(folder: Path) -> Target:
    """An image of an archive."""

    def give(data: bytes) -> None:
        with only(ImageError):
            inspect(data)

    return give, list(IMAGES.values())


def grid(folder: Path) -> Target:
    """A grid file."""
    path = folder / "grid.yaml"

    def give(data: bytes) -> None:
        path.write_bytes(data)
        with only(GridError):
            load_grid(str(path))

    return give, [resources.files("bloodcell.grids").joinpath(f"{name}.yaml").read_bytes() for name in grid_names()]


def manifest(folder: Path) -> Target:
    """A manifest whose hash is right."""
    info, store = pushed(folder, zipped(folder, {})), LocalStore(folder / "store")
    name = artifacts.dataset(info.name, info.version, "manifest.parquet")

    def give(data: bytes) -> None:
        store.write(name, data)
        with only(CorruptObjectError):
            read_manifest(store, info.model_copy(update={"manifest_sha256": hashlib.sha256(data).hexdigest()}))

    return give, [store.read(name)]


def event(folder: Path) -> Target:
    """A line that an experiment prints."""

    def give(data: bytes) -> None:
        shown: list[str] = []
        transcript = Transcript(lambda event: shown.append(event.model_dump_json()), shown.append)
        transcript.add(data.decode(errors="replace"))
        for text in (*shown, str(error_of(transcript.exit(1)))):
            assert printable_lines(text) == text

    return give, [EVENT, b'{"event":"error","problem":"p","remedy":"r"}', b"a plain line"]


TARGETS = {target.__name__: target for target in (archive, image, grid, manifest, event)}


def fuzz(name: str, folder: Path, *options: str) -> None:
    """Fuzz a target until the options say that it is enough, which ends this process and cleans nothing up."""
    corpus = folder / "corpus"
    corpus.mkdir()
    give, seeds = TARGETS[name](folder)
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([name, "-timeout=30", "-verbosity=0", "-print_final_stats=1", *options, str(corpus)], give)
    atheris.Fuzz()


def main(*words: str) -> None:
    """Fuzz the target named first, or each in turn, in a process of its own."""
    names, options = (words[:1], words[1:]) if words and words[0] in TARGETS else (tuple(TARGETS), words)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            child = multiprocessing.get_context("spawn").Process(target=fuzz, args=(name, Path(folder), *options))
            child.start()
            child.join()
        if child.exitcode:
            sys.exit(child.exitcode)


if __name__ == "__main__":
    main(*sys.argv[1:])
