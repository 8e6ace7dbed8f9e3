"""The four kinds of white cell the synthetic set shows, drawn from how a textbook tells them apart.

    LYMPHOCYTE   one round nucleus that fills most of the cell; a thin rim of cytoplasm
    MONOCYTE     a large cell with a nucleus bent like a kidney or a horseshoe; grey-blue cytoplasm
    EOSINOPHIL   a nucleus of two lobes; cytoplasm packed with orange-red granules
    NEUTROPHIL   a nucleus of three to five lobes joined by strands; pale cytoplasm

A nucleus is a set of limbs: straight pieces with a radius at each end, joined smoothly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bloodcell.data.drawing import (
    HEIGHT,
    NUCLEUS_BLUE,
    NUCLEUS_PURPLE,
    WIDTH,
    Dye,
    Plane,
    Slide,
    Window,
    cloud,
    coverage,
    outline,
    photograph,
    scatter_platelets,
    scatter_red_cells,
)

Limbs = NDArray[np.float64]
"""Rows of (x0, y0, radius0, x1, y1, radius1), in cell radii around the cell's centre."""


def _round_nucleus(rng: np.random.Generator) -> Limbs:
    radius, stretch = rng.uniform(0.74, 0.86), rng.uniform(0, 0.1)
    return np.array([(-stretch, rng.normal(0, 0.04), radius, stretch, rng.normal(0, 0.04), radius)])


def _bent_nucleus(rng: np.random.Generator) -> Limbs:
    bend = rng.uniform()  # from a kidney to a horseshoe
    half_span = np.radians(70 + 50 * bend)
    angles = np.linspace(-half_span, half_span, 7)
    bow = 0.44 + 0.06 * bend
    middle = np.array([bow * np.cos(angles).mean() * 0.6, 0])
    points = bow * np.stack([np.cos(angles), np.sin(angles)], 1) - middle
    radii = (0.35 - 0.09 * bend) * rng.uniform(0.92, 1.12, 7)
    joints = np.column_stack([points, radii])
    return np.hstack([joints[:-1], joints[1:]])


def _lobed_nucleus(angles: NDArray[np.float64], size: float, rng: np.random.Generator) -> Limbs:
    """Lobes of about `size` cell radii at `angles` around the centre, each joined to the next by a strand."""
    limbs = []
    for angle in angles:
        bow = rng.uniform(0.42, 0.58)
        lobe, turn = size * rng.uniform(0.88, 1.14), angle + np.pi / 2 + rng.normal(0, 0.3)
        centre = bow * np.array([np.cos(angle), np.sin(angle)])
        along = 0.55 * lobe * np.array([np.cos(turn), np.sin(turn)])
        limbs.append([*(centre - along), lobe, *(centre + along), lobe * rng.uniform(0.8, 1)])
    strands = [[*a[3:5], 0.05, *b[:2], 0.05] for a, b in pairwise(limbs)]
    return np.array(limbs + strands)


def _two_lobes(rng: np.random.Generator) -> Limbs:
    half_span = np.radians(rng.uniform(55, 80))
    return _lobed_nucleus(np.array([-half_span, half_span]), rng.uniform(0.28, 0.34), rng)


def _many_lobes(rng: np.random.Generator) -> Limbs:
    lobes = rng.choice([3, 4, 5], p=[0.4, 0.4, 0.2])
    half_span = np.radians({3: 105, 4: 125, 5: 138}[int(lobes)] + rng.uniform(-8, 8))
    angles = np.linspace(-half_span, half_span, lobes) + rng.normal(0, 0.06, lobes)
    return _lobed_nucleus(angles, 0.34 - 0.03 * lobes, rng)


@dataclass(frozen=True)
class Kind:
    """How one kind of white cell looks.

    Attributes:
        radius: Smallest and largest radius in pixels at magnification 1.
        wobble: Irregularity of the outline, as a fraction of the radius.
        nucleus: Draws the limbs of a nucleus.
        blueness: Share of blue, against purple, in the nucleus's colour.
        cytoplasm: Its dye.
        granules: Dye of the granules that fill the cytoplasm, if there are any.
        vacuoles: Most clear bubbles in the cell.
    """

    radius: tuple[float, float]
    wobble: float
    nucleus: Callable[[np.random.Generator], Limbs]
    blueness: float
    cytoplasm: Dye
    granules: Dye | None = None
    vacuoles: int = 0


KINDS = {
    "EOSINOPHIL": Kind((36, 47), 0.03, _two_lobes, 0.35, (0.09, 0.30, 0.22), granules=(0.06, 0.62, 0.52)),
    "LYMPHOCYTE": Kind((26, 35), 0.04, _round_nucleus, 0.65, (0.36, 0.28, 0.03)),
    "MONOCYTE": Kind((42, 54), 0.06, _bent_nucleus, 0.25, (0.28, 0.27, 0.08), vacuoles=7),
    "NEUTROPHIL": Kind((36, 47), 0.03, _many_lobes, 0.40, (0.10, 0.21, 0.05)),
}
"""One row a class, by its label."""


def draw_photograph(label: str, rng: np.random.Generator) -> Image.Image:
    """Draw a smear with one white cell in it and photograph that.

    Args:
        label: The white cell's class, a key of `KINDS`.
        rng: Source of everything that varies from one photograph to the next.

    Returns:
        An RGB image of 320 by 240 pixels.
    """
    kind, slide, scale = KINDS[label], Slide(), rng.uniform(1.4, 1.75)
    radius = scale * rng.uniform(*kind.radius)
    x, y = rng.uniform((0.35 * WIDTH, 0.38 * HEIGHT), (0.65 * WIDTH, 0.62 * HEIGHT))
    scatter_red_cells(slide, (x, y, radius), scale, rng)
    scatter_platelets(slide, (x, y, radius), scale, rng)
    _draw_white_cell(slide, kind, (x, y), radius, rng)
    return photograph(slide, rng)


def _draw_white_cell(
    slide: Slide, kind: Kind, centre: tuple[float, float], radius: float, rng: np.random.Generator
) -> None:
    window = slide.window(centre, 1.5 * radius)
    cell = outline(window, radius, kind.wobble, rng)
    roughness = cloud(rng, window.shape, 0.25 * radius)
    nucleus = coverage(_nucleus_field(kind.nucleus(rng), window, radius, rng) + 0.025 * radius * roughness, 2)
    clear = 1 - _bubbles(kind, window, radius, rng)
    body = coverage(cell, 2.5) * (1 - nucleus) * clear

    depth = rng.uniform(0.75, 1.25)
    mottling = 1 + 0.18 * cloud(rng, window.shape, 4) + 0.08 * roughness
    slide.stain(window, kind.cytoplasm, depth * body * mottling)
    slide.stain(window, kind.cytoplasm, 0.5 * depth * np.exp(-(((cell - 1.5) / 1.5) ** 2)) * (1 - nucleus))
    if kind.granules:
        slide.stain(window, kind.granules, depth * body * _granules(window, radius, rng))
    blue = np.clip(kind.blueness + rng.normal(0, 0.2), 0, 1)
    dye = tuple(blue * np.array(NUCLEUS_BLUE) + (1 - blue) * np.array(NUCLEUS_PURPLE))
    chromatin = 1 + 0.12 * cloud(rng, window.shape, 3) + 0.12 * cloud(rng, window.shape, 8)
    slide.stain(window, dye, depth * nucleus * chromatin * (0.4 + 0.6 * clear))


def _nucleus_field(limbs: Limbs, window: Window, radius: float, rng: np.random.Generator) -> Plane:
    """Distance field of the limbs' smooth union, turned by a random angle; pixels, positive inside."""
    angle, softness = rng.uniform(0, 2 * np.pi), np.float32(0.03 * radius)
    x = (np.cos(angle) * window.x + np.sin(angle) * window.y).astype(np.float32)
    y = (np.cos(angle) * window.y - np.sin(angle) * window.x).astype(np.float32)
    total: Plane = np.zeros(window.shape, np.float32)
    for x0, y0, start, x1, y1, end in (radius * limbs).astype(np.float32):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy + 1e-6), 0, 1)
        field = start + along * (end - start) - np.hypot(x - x0 - along * dx, y - y0 - along * dy)
        total += np.exp(np.clip(field / softness, -60, 60))
    return np.asarray(softness * np.log(total + np.float32(1e-30)))


def _bubbles(kind: Kind, window: Window, radius: float, rng: np.random.Generator) -> Plane:
    """Coverage by vacuoles."""
    bubbles = np.zeros(window.shape, np.float32)
    for _ in range(rng.integers(0, kind.vacuoles + 1)):
        distance, angle = radius * rng.uniform(0.2, 0.85), rng.uniform(0, 2 * np.pi)
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        bubble = rng.uniform(1.2, 3.2) - np.hypot(window.x - x, window.y - y)
        bubbles = np.maximum(bubbles, rng.uniform(0.4, 0.9) * coverage(bubble, 1.6))
    return bubbles


def _granules(window: Window, radius: float, rng: np.random.Generator) -> Plane:
    """Coverage by granules, one near each point of a square grid."""
    granules = np.zeros(window.shape, np.float32)
    pitch, size = radius * rng.uniform(0.095, 0.115), radius * rng.uniform(0.045, 0.055)
    steps = np.arange(-radius, radius, pitch)
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    for x, y in grid + rng.normal(0, 0.28 * pitch, grid.shape):
        near_x, near_y = np.abs(window.x[0] - x) < size + 2, np.abs(window.y[:, 0] - y) < size + 2
        area = np.ix_(near_y, near_x)
        field = size * rng.uniform(0.8, 1.2) - np.hypot(window.x[:, near_x] - x, window.y[near_y] - y)
        granules[area] = np.maximum(granules[area], rng.uniform(0.7, 1.1) * coverage(field, 1.6))
    return granules
