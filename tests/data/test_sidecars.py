import pytest

from bloodcell.data.ingest import push
from bloodcell.data.manifest import read_manifest
from bloodcell.data.sidecars import parse_sources
from bloodcell.errors import DatasetError
from bloodcell.store import LocalStore

ROOT = "set/images/"


def with_sources(files: dict[str, bytes], changed: dict[str, str] | None = None) -> dict[str, bytes]:
    """The files and a sources.csv in which two neighbouring images share a cell, but for the `changed` cells."""
    paths = sorted(path.removeprefix(ROOT) for path in files)
    cells = {path: f"{path.rsplit('/', 1)[0]}-{number // 2}" for number, path in enumerate(paths)} | (changed or {})
    lines = ["path,source", *(f"{path},{cell}" for path, cell in cells.items() if cell)]
    return {**files, f"{ROOT}sources.csv": "\n".join(lines).encode()}


def image_of(files: dict[str, bytes], folder: str) -> str:
    return next(path.removeprefix(ROOT) for path in files if folder in path)


def test_sources_are_those_of_the_file(store: LocalStore, zip_of, kaggle) -> None:
    info = push(store, zip_of(with_sources(kaggle)), name="cells")
    manifest = read_manifest(store, info)
    assert info.sources_known
    assert info.sources == manifest["source"].nunique() == 2 * (2 + 1 + 1)
    assert all(source.startswith(path.rsplit("/", 1)[0]) for path, source in manifest[["path", "source"]].to_numpy())
    assert info.skipped == ()


def test_sources_make_another_version(store: LocalStore, zip_of, kaggle) -> None:
    known, unknown = zip_of(with_sources(kaggle)), zip_of(kaggle, "unknown.zip")
    assert push(store, known, name="cells").version != push(store, unknown, name="cells").version


def test_an_image_without_a_source_is_refused(store: LocalStore, zip_of, kaggle) -> None:
    image = image_of(kaggle, "TRAIN/MONOCYTE")
    with pytest.raises(DatasetError, match=f"names no source for 1 of 14 images, first {image}"):
        push(store, zip_of(with_sources(kaggle, {image: ""})), name="cells")


def test_a_source_of_two_classes_is_refused(store: LocalStore, zip_of, kaggle) -> None:
    changed = {image_of(kaggle, f"TRAIN/{label}"): "cell" for label in ("EOSINOPHIL", "MONOCYTE")}
    with pytest.raises(DatasetError, match="'cell', that has images of two classes: " + " and ".join(changed)):
        push(store, zip_of(with_sources(kaggle, changed)), name="cells")


def test_a_source_on_both_sides_of_the_test_is_refused(store: LocalStore, zip_of, kaggle) -> None:
    changed = {image_of(kaggle, f"{declared}/MONOCYTE"): "cell" for declared in ("TEST", "TRAIN")}
    with pytest.raises(DatasetError, match="'cell', that has images in both TRAIN and TEST: " + " and ".join(changed)):
        push(store, zip_of(with_sources(kaggle, changed)), name="cells")


def test_a_source_of_test_may_be_in_test_simple(store: LocalStore, zip_of, kaggle) -> None:
    changed = {image_of(kaggle, f"{declared}/MONOCYTE"): "cell" for declared in ("TEST", "TEST_SIMPLE")}
    assert push(store, zip_of(with_sources(kaggle, changed)), name="cells").sources_known


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "is no CSV table"),
        (b"\xff\xfe\x00", "is no CSV table"),
        (b'path,source\n"a.jpg', "is no CSV table"),
        (b"file,cell\na.jpg,1\n", "has the columns 'file', 'cell'; accepted are path, source"),
        (b"path,source\na.jpg,\n", "has an empty cell at 'a.jpg'"),
        (b"path,source\na.jpg,1\na.jpg,2\n", "gives two sources for 'a.jpg'"),
    ],
)
def test_a_file_that_is_no_table_of_sources_is_refused(data: bytes, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        parse_sources(data)


def test_names_that_look_like_numbers_or_nothing_stay_text() -> None:
    data = "\ufeffpath,source\na.jpg,007\nb.jpg,NA\nb.jpg,NA\n".encode()
    assert parse_sources(data) == {"a.jpg": "007", "b.jpg": "NA"}


def test_the_synthetic_marker_is_recorded_and_not_lost(store: LocalStore, zip_of, kaggle) -> None:
    marked = zip_of({**kaggle, f"{ROOT}SYNTHETIC.md": b"drawn"})
    assert push(store, marked, name="drawn").synthetic
    assert push(store, marked, name="drawn").synthetic
    with pytest.raises(DatasetError, match="drawn holds these images already as synthetic"):
        push(store, zip_of(kaggle, "unmarked.zip"), name="drawn")
