"""From pairs of images to groups: what is linked, directly or through others, belongs together."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bloodcell.data.decoding import Progress
from bloodcell.data.grouping.features import describe
from bloodcell.data.grouping.geometry import INLIERS, inliers
from bloodcell.data.grouping.similarity import Pair, Similarity
from bloodcell.settings import cpus

_In = TypeVar("_In")
_Out = TypeVar("_Out")

Bars = Callable[[str], AbstractContextManager[Progress]]
"""Opens a progress bar of that label."""

_CANDIDATES = 3  # images that one is compared with in a round
_PAIRS = 12  # of two groups in a round: an overlap shows in those images alone that were not shifted away from it
_QUEUED = 512


@dataclass(frozen=True)
class Groups:
    """Which images belong together.

    Attributes:
        members: Number of the group of every image.
        links: The pairs that hold the groups together.
    """

    members: npt.NDArray[np.int32]
    links: tuple[Pair, ...]


def link(images: Iterable[bytes], count: int, bars: Bars) -> Groups:
    """Find which images show the same thing.

    Every image is compared with those most similar to it outside its own group, and groups that turn out to be linked
    become one, until a round links nothing. Time grows with the number of images, but for a similarity of all
    pairs in each round, and memory with 40 kB an image.

    Args:
        images: The bytes of each JPEG or PNG file.
        count: How many there are.
        bars: For progress.

    Raises:
        ImageError: One cannot be decoded.
    """
    cv2.setNumThreads(1)  # images are handed to as many threads as there are cores
    with ThreadPoolExecutor(cpus()) as pool:
        with bars("describing images") as progress:
            described = list(_mapped(pool, describe, images, count, progress))
        members = np.arange(count, dtype=np.int32)
        links: list[Pair] = []
        if not any(len(image.points) for image in described):
            return Groups(members, ())
        similarity = Similarity.of(described)
        tried: set[tuple[int, int]] = set()

        def is_linked(pair: Pair) -> bool:
            return inliers(described[pair.first], described[pair.second], mirror=pair.mirrored) >= INLIERS

        while pairs := _untried(similarity.candidates(members, _CANDIDATES), members, tried):
            with bars("comparing images") as progress:
                found = list(_mapped(pool, is_linked, pairs, len(pairs), progress))
            tried |= {(pair.first, pair.second) for pair in pairs}
            new = [pair for pair, linked in zip(pairs, found, strict=True) if linked]
            if not new:
                break
            links += new
            members = _components(links, count)
    return Groups(members, tuple(links))


def _mapped(
    pool: ThreadPoolExecutor, function: Callable[[_In], _Out], values: Iterable[_In], count: int, progress: Progress
) -> Iterator[_Out]:
    """The function of each value, in order; only some values are held at a time."""
    remaining = iter(values)
    done = 0
    while batch := list(islice(remaining, _QUEUED)):
        for result in pool.map(function, batch):
            done += 1
            progress(done, count)
            yield result


def _untried(pairs: Sequence[Pair], members: npt.NDArray[np.int32], tried: set[tuple[int, int]]) -> list[Pair]:
    """Those of the pairs to compare: each once ever, and not too many of the same two groups."""
    between: Counter[tuple[int, int]] = Counter()
    chosen = []
    for pair in pairs:
        first, second = sorted((int(members[pair.first]), int(members[pair.second])))
        if (pair.first, pair.second) not in tried and between[first, second] < _PAIRS:
            between[first, second] += 1
            chosen.append(pair)
    return chosen


def _components(links: Sequence[Pair], count: int) -> npt.NDArray[np.int32]:
    rows, columns = np.array([(pair.first, pair.second) for pair in links]).T
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(count, count))
    members: npt.NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return members
