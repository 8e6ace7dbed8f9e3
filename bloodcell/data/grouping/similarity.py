"""Which images may show the same thing, by the visual words that they share.

Source: Sivic and Zisserman (2003), "Video Google: a text retrieval approach to object matching in videos".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import TfidfTransformer

from bloodcell.data.grouping.features import Features, Floats, mirrored, unit

_WORDS = 1024
_SAMPLE = 100_000  # features that the words are learnt from
_BLOCK = 256  # images compared with all others at once


@dataclass(frozen=True)
class Pair:
    """Two images that may show the same thing, the lower number first.

    Attributes:
        mirrored: Whether one rather resembles the other's mirror image.
        similarity: Cosine of their words, from 0 to 1.
    """

    first: int
    second: int
    mirrored: bool
    similarity: float


@dataclass(frozen=True)
class Similarity:
    """The words of every image, and of its mirror image: sparse rows of length one."""

    plain: csr_array
    mirrored: csr_array

    @classmethod
    def of(cls, images: Sequence[Features]) -> "Similarity":
        """Learn words from the images, and read the images in them. There must be some features."""
        words = _learn(images)
        plain = _counts(images, words, mirror=False)
        weights = TfidfTransformer(sublinear_tf=True).fit(plain)
        return cls(weights.transform(plain), weights.transform(_counts(images, words, mirror=True)))

    def candidates(self, groups: npt.NDArray[np.int32], each: int) -> list[Pair]:
        """For every image those most similar to it of other groups, each pair once, the most similar first.

        Args:
            groups: Number of the group of every image.
            each: How many for one image.
        """
        pairs: dict[tuple[int, int], Pair] = {}
        for pair in self._nearest(groups, each):
            pairs.setdefault((pair.first, pair.second), pair)
        return sorted(pairs.values(), key=lambda pair: -pair.similarity)

    def _nearest(self, groups: npt.NDArray[np.int32], each: int) -> Iterator[Pair]:
        transposed = self.plain.T.tocsr()
        each = min(each, len(groups) - 1)
        for start in range(0, len(groups), _BLOCK):
            rows = slice(start, start + _BLOCK)
            plain = (self.plain[rows] @ transposed).toarray()
            mirror = (self.mirrored[rows] @ transposed).toarray()
            similarity = np.maximum(plain, mirror)
            similarity[groups[rows, None] == groups[None, :]] = 0
            nearest = np.argpartition(-similarity, each - 1, axis=1)[:, :each]
            for row, others in enumerate(nearest):
                for other in others.tolist():
                    if similarity[row, other] > 0:
                        first, second = sorted((start + row, other))
                        yield Pair(
                            first, second, bool(mirror[row, other] > plain[row, other]), float(similarity[row, other])
                        )


def _learn(images: Sequence[Features]) -> Floats:
    """The words: centres of the features of the images, shape (words, 128)."""
    features = np.concatenate([image.descriptors for image in images])
    chosen = np.random.default_rng(0).permutation(len(features))[:_SAMPLE]
    sample = features[np.sort(chosen)]
    both = unit(np.concatenate([sample, mirrored(sample)]))
    words = min(_WORDS, len(both))
    model = MiniBatchKMeans(words, batch_size=8192, n_init=1, max_iter=3, init="random", random_state=0).fit(both)
    centres: Floats = model.cluster_centers_.astype(np.float32)
    return centres


def _counts(images: Sequence[Features], words: Floats, *, mirror: bool) -> csr_array:
    """How often each image has each word: shape (images, words)."""
    half = (words**2).sum(axis=1) / 2
    found = []
    for image in images:
        features = unit(mirrored(image.descriptors) if mirror else image.descriptors)
        # The nearest word: |f - w|² is smallest where f·w - |w|²/2 is largest.
        found.append((features @ words.T - half).argmax(axis=1))
    lengths = [len(numbers) for numbers in found]
    owner = np.repeat(np.arange(len(images)), lengths)
    counts = csr_array(
        (np.ones(len(owner), np.float32), (owner, np.concatenate(found))), shape=(len(images), len(words))
    )
    counts.sum_duplicates()
    return counts
