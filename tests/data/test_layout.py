import pytest

from bloodcell.data.layout import ClassFolder, ImageFile, read_layout
from bloodcell.errors import DatasetError


def image(path: str, declared: str, label: str) -> ImageFile:
    return ImageFile(path, ClassFolder(declared, label))


@pytest.mark.parametrize("above", ["", "set/", "test/dataset2-master/images/"])
def test_the_kaggle_layout_under_any_folders(above: str) -> None:
    files = [f"{above}TRAIN/EOS/1.jpeg", f"{above}TEST/EOS/2.jpg", f"{above}test_simple/MONO/deep/3.PNG"]
    layout = read_layout(files, [])
    assert layout.root == above
    assert set(layout.images) == {
        image("TRAIN/EOS/1.jpeg", "TRAIN", "EOS"),
        image("TEST/EOS/2.jpg", "TEST", "EOS"),
        image("test_simple/MONO/deep/3.PNG", "TEST_SIMPLE", "MONO"),
    }
    assert layout.skipped == ()


@pytest.mark.parametrize("above", ["", "a/b/"])
def test_plain_class_folders_under_any_folders(above: str) -> None:
    layout = read_layout([f"{above}EOS/1.jpg", f"{above}EOS/patient 7/2.jpg", f"{above}MONO/3.jpg"], [])
    assert layout.root == above
    assert set(layout.images) == {
        image("EOS/1.jpg", "", "EOS"),
        image("EOS/patient 7/2.jpg", "", "EOS"),
        image("MONO/3.jpg", "", "MONO"),
    }


def test_images_beside_the_class_folders_are_skipped() -> None:
    layout = read_layout(["cover.png", "set/overview.jpg", "set/EOS/1.jpg", "set/MONO/2.jpg"], [])
    assert layout.root == "set/"
    assert {image.path for image in layout.images} == {"EOS/1.jpg", "MONO/2.jpg"}
    assert layout.skipped == ("cover.png", "set/overview.jpg")


def test_one_folder_of_images_is_one_class() -> None:
    assert read_layout(["set/EOS/1.jpg", "set/EOS/2.jpg"], []).folders == {ClassFolder("", "EOS")}


def test_images_in_no_folder_have_no_class() -> None:
    layout = read_layout(["1.jpg", "2.jpg"], [])
    assert layout.images == ()
    assert layout.skipped == ("1.jpg", "2.jpg")


def test_other_files_are_skipped_but_the_sidecars_are_not() -> None:
    junk = [
        "__MACOSX/set/EOS/._1.jpg",
        "set/.git/EOS/old.jpg",
        "set/EOS/.DS_Store",
        "set/EOS/._1.jpg",
        "set/EOS/Thumbs.db",
        "set/EOS/sources.csv",
        "set/labels.csv",
    ]
    images = ["set/EOS/1.jpg", "set/MONO/2.jpg"]
    layout = read_layout([*junk, *images, "set/sources.csv", "set/SYNTHETIC.md"], [])
    assert layout.skipped == tuple(sorted(junk))
    assert len(layout.images) == 2
    assert layout.folders == {ClassFolder("", "EOS"), ClassFolder("", "MONO")}


def test_the_other_set_of_the_kaggle_archive_is_skipped() -> None:
    files = ["dataset-master/JPEGImages/1.jpg", "dataset2-master/images/TRAIN/EOS/2.jpeg"]
    layout = read_layout(files, [])
    assert layout.root == "dataset2-master/images/"
    assert layout.skipped == ("dataset-master/JPEGImages/1.jpg",)


def test_a_class_folder_without_images_is_known_by_its_listing_or_by_its_other_files() -> None:
    files = ["TRAIN/EOS/1.jpg", "TRAIN/MONO/notes.txt", "TRAIN/NEU/.DS_Store"]
    layout = read_layout(files, ["TRAIN", "TRAIN/EOS", "TRAIN/LYMPH", "TEST", "__MACOSX/TRAIN/EOS"])
    assert layout.folders == {ClassFolder("TRAIN", label) for label in ("EOS", "MONO", "NEU", "LYMPH")}


def test_a_folder_of_images_beside_train_is_refused() -> None:
    with pytest.raises(DatasetError, match="set/VAL lies beside TRAIN or TEST"):
        read_layout(["set/TRAIN/EOS/1.jpg", "set/VAL/EOS/2.jpg"], [])
