"""What a microscope sees of a stained smear: dyes that absorb light, red cells, platelets, and the camera.

Objects add absorbance to a `Slide`; the camera then applies Beer and Lambert's law, light * exp(-absorbance). Cells
that lie on each other so darken as they do under a microscope. Outlines are distance fields that fade over about a
pixel, which anti-aliases every edge.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

WIDTH, HEIGHT = 320, 240
"""Size of a photograph in pixels, the Kaggle set's."""

Plane = NDArray[np.float32]
"""One value a pixel, of shape (rows, columns)."""

Dye = tuple[float, float, float]
"""Absorbance of red, green and blue light by a full layer."""

HAEMOGLOBIN: Dye = (0.10, 0.31, 0.30)
RIM: Dye = (0.30, 0.36, 0.20)  # light bent away at a cell's edge, a greyish violet
NUCLEUS_BLUE: Dye = (1.25, 1.45, 0.27)
NUCLEUS_PURPLE: Dye = (0.62, 1.15, 0.14)


@dataclass(frozen=True)
class Window:
    """The part of a slide around one object.

    Attributes:
        area: Index of the part in the slide's pixels.
        x: Pixels to the right of the object's centre; shape (1, columns).
        y: Pixels below it; shape (rows, 1).
    """

    area: tuple[slice, slice]
    x: Plane
    y: Plane

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]


class Slide:
    """An empty smear of `WIDTH` by `HEIGHT` pixels that objects are added to."""

    def __init__(self) -> None:
        self.absorbance = np.zeros((HEIGHT, WIDTH, 3), np.float32)

    def window(self, centre: tuple[float, float], reach: float) -> Window:
        """The square of half-width `reach` around `centre`, cut at the slide's edges; all in pixels."""
        x, y = centre
        columns = slice(*np.clip([int(x - reach), int(x + reach) + 2], 0, WIDTH).tolist())
        rows = slice(*np.clip([int(y - reach), int(y + reach) + 2], 0, HEIGHT).tolist())
        return Window(
            (rows, columns),
            np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - np.float32(x),
            np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(y),
        )

    def stain(self, window: Window, dye: Dye, layer: Plane) -> None:
        """Add `layer` thicknesses (1 is a full layer) of a dye to the pixels of a window."""
        self.absorbance[window.area] += layer[..., None] * np.asarray(dye, np.float32)


def coverage(field: Plane, softness: float = 1.2) -> Plane:
    """How much of each pixel lies inside an outline, 0 to 1.

    Args:
        field: Pixels from the outline, positive inside.
        softness: Pixels over which the edge fades.
    """
    share = np.clip(field / softness + 0.5, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def cloud(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Plane:
    """Smooth noise of about unit variance with blobs of `grain` pixels; shape as given."""
    rows, columns = (int(side / grain) + 3 for side in shape)
    coarse = Image.fromarray(rng.standard_normal((rows, columns), np.float32))
    return np.array(coarse.resize(shape[::-1], Image.Resampling.BICUBIC))


def outline(window: Window, radius: float, wobble: float, rng: np.random.Generator) -> Plane:
    """Distance field of a round, slightly irregular cell, in pixels and positive inside.

    Args:
        window: Where the cell lies, around its centre.
        radius: Mean radius in pixels.
        wobble: Typical departure from the circle, as a fraction of the radius.
        rng: Source of the shape.
    """
    angle = np.arctan2(window.y, window.x)
    edge = np.ones(window.shape, np.float32)
    for order in (2, 3, 4, 5):
        edge += wobble / (order - 1) ** 1.5 * rng.normal() * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return radius * edge - np.hypot(window.x, window.y)


def draw_red_cell(slide: Slide, centre: tuple[float, float], radius: float, rng: np.random.Generator) -> None:
    """Add one biconcave red cell: full at the rim, paler in the middle. Centre and radius are in pixels."""
    window = slide.window(centre, 1.6 * radius)
    if 0 in window.shape:
        return
    field = outline(window, radius, rng.uniform(0.03, 0.10), rng)
    inward = field / radius  # 0 at the edge, about 1 in the middle
    pallor = rng.uniform(0.15, 0.75) * coverage(inward - rng.uniform(0.45, 0.7), 0.35)
    slide.stain(window, HAEMOGLOBIN, rng.uniform(0.8, 1.1) * coverage(field, 1.6) * (1 - pallor))
    fringe = np.exp(-(((field - 1.5) / 1.8) ** 2)) - 0.35 * np.exp(-(((field + 2.5) / 1.8) ** 2))
    slide.stain(window, RIM, rng.uniform(0.15, 0.4) * fringe)


def scatter_red_cells(
    slide: Slide, keep_off: tuple[float, float, float], scale: float, rng: np.random.Generator
) -> None:
    """Cover a slide with red cells, singly and in stacks that overlap.

    Args:
        slide: Where they are added.
        keep_off: Centre x, y and radius of the white cell, which pushes red cells aside, in pixels.
        scale: Magnification; 1 makes a red cell's mean radius 23 pixels.
        rng: Source of the arrangement.
    """
    x, y, reach = keep_off
    drawn: list[tuple[float, float]] = []
    for _ in range(rng.integers(12, 26)):
        place = rng.uniform((-15, -15), (WIDTH + 15, HEIGHT + 15))
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.choice([1, 2, 3, 4], p=[0.65, 0.2, 0.1, 0.05])):
            radius = scale * rng.normal(23, 1.8)
            free = np.hypot(place[0] - x, place[1] - y) > reach + rng.uniform(0.7, 1.0) * radius
            apart = all(np.hypot(place[0] - a, place[1] - b) > 1.1 * radius for a, b in drawn)
            if free and apart:
                draw_red_cell(slide, (place[0], place[1]), radius, rng)
                drawn.append((place[0], place[1]))
            heading += rng.normal(0, 0.4)
            place = place + radius * rng.uniform(1.15, 1.7) * np.array([np.cos(heading), np.sin(heading)])


def scatter_platelets(
    slide: Slide, keep_off: tuple[float, float, float], scale: float, rng: np.random.Generator
) -> None:
    """Add up to six platelets, small violet flecks, outside the white cell at `keep_off` (x, y, radius in pixels)."""
    x, y, reach = keep_off
    for _ in range(rng.integers(0, 7)):
        radius, place = scale * rng.uniform(3, 6.5), rng.uniform((0, 0), (WIDTH, HEIGHT))
        if np.hypot(place[0] - x, place[1] - y) > 1.1 * reach + radius:
            window = slide.window((place[0], place[1]), 2 * radius)
            field = outline(window, radius, 0.12, rng)
            slide.stain(window, NUCLEUS_PURPLE, rng.uniform(0.25, 0.6) * coverage(field, 0.8 * radius))


def photograph(slide: Slide, rng: np.random.Generator) -> Image.Image:
    """Photograph a slide: uneven light of varying colour, imperfect focus and sensor noise.

    Returns:
        An RGB image of `WIDTH` by `HEIGHT` pixels.
    """
    warmth, green = rng.normal(0, 2.5), rng.normal(0, 1.5)
    light = rng.uniform(216, 238) + np.array([1 + warmth, green - 2, -12 - warmth])
    x = np.linspace(-1, 1, WIDTH)[None, :] - rng.normal(0, 0.3)
    y = np.linspace(-1, 1, HEIGHT)[:, None] - rng.normal(0, 0.3)
    vignette = 1 - rng.uniform(0.01, 0.06) * (x * x + y * y) + rng.normal(0, 0.02) * x
    seen = (light * vignette[..., None]).astype(np.float32) * np.exp(-slide.absorbance)
    sharp = Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))
    blurred = np.asarray(sharp.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3))), np.float32)
    noise = rng.uniform(1, 4) * rng.standard_normal(blurred.shape, np.float32)
    return Image.fromarray(np.clip(blurred + noise, 0, 255).astype(np.uint8))
