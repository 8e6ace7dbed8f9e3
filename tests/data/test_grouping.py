"""Groups of images whose true sources are known: crops of drawn smears, turned, sheared and mirrored."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bloodcell.data.grouping import link
from bloodcell.data.grouping.features import describe, mirrored, unit
from bloodcell.data.grouping.geometry import INLIERS, inliers
from bloodcell.errors import ImageError


def smear(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """A drawn photograph: discs of many sizes and shades on a mottled ground."""
    rng = np.random.default_rng(seed)
    ground = rng.normal(210, 12, (size[1] // 12, size[0] // 12, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(90):
        x, y, radius = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(4, 28)
        shade = tuple(int(value) for value in rng.integers(60, 220, 3))
        draw.ellipse((x - radius, y - radius * rng.uniform(0.5, 1), x + radius, y + radius), fill=shade)
    return image


def augmented(image: Image.Image, rng: np.random.Generator, *, mirror: bool = False) -> Image.Image:
    """As Kaggle's set was made: turned, sheared, shifted, perhaps mirrored, and filled with black."""
    if mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    shear, shift = rng.uniform(-0.1, 0.1), rng.uniform(-30, 30, 2)
    image = image.rotate(rng.uniform(-25, 25), Image.Resampling.BICUBIC)
    matrix = (1, shear, shift[0], 0, 1, shift[1])
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@contextmanager
def bars(label: str) -> Iterator[object]:
    yield lambda done, total: None


def partition(members) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(members == group).tolist()) for group in set(members.tolist())}


def test_images_of_one_photograph_are_one_group_and_no_two_photographs_are():
    rng = np.random.default_rng(0)
    images, truth = [], []
    for source in range(12):
        photograph = smear(source)
        for view in range(source % 4 + 1):  # every fourth has one image alone
            images.append(jpeg(augmented(photograph, rng, mirror=view % 2 == 1)))
            truth.append(source)
    order = rng.permutation(len(images))
    found = link([images[place] for place in order], len(images), bars)
    assert partition(found.members) == partition(np.array(truth)[order])


def test_overlapping_photographs_are_one_group_through_the_images_that_show_the_overlap():
    rng = np.random.default_rng(1)
    field = smear(100, (760, 360))
    left, right, other = field.crop((0, 0, 480, 360)), field.crop((280, 0, 760, 360)), smear(101)
    images = [jpeg(augmented(image, rng)) for image in (left, left, left, right, right, right, other, other)]
    assert partition(link(images, len(images), bars).members) == {frozenset(range(6)), frozenset({6, 7})}


def test_a_mirror_image_is_found_by_mirroring_the_descriptors():
    image = smear(7)
    plain, mirror = describe(jpeg(image)), describe(jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    assert inliers(plain, mirror, mirror=True) > 5 * INLIERS
    assert inliers(plain, mirror, mirror=False) == 0
    assert inliers(plain, plain, mirror=False) > 5 * INLIERS
    assert (mirrored(mirrored(plain.descriptors)) == plain.descriptors).all()
    assert np.allclose((unit(plain.descriptors) ** 2).sum(axis=1), 1, atol=1e-5)


def test_the_black_that_fills_a_turned_image_has_no_features():
    turned = smear(3).rotate(20, Image.Resampling.BICUBIC)
    points = describe(jpeg(turned)).points
    assert len(points) > 50
    small = np.asarray(turned.convert("L").resize((320, 240)))
    assert all(small[int(y), int(x)] > 25 for x, y in points)


def test_images_without_features_stay_alone():
    blank = [jpeg(Image.new("RGB", (64, 48), (200, 180, shade))) for shade in range(0, 90, 30)]
    found = link(blank, len(blank), bars)
    assert (found.members.tolist(), found.links) == ([0, 1, 2], ())
    some = link([*blank, jpeg(smear(1))], 4, bars)
    assert len(set(some.members.tolist())) == 4


def test_what_opencv_cannot_decode_is_refused():
    with pytest.raises(ImageError, match="cannot decode"):
        describe(b"no image")
