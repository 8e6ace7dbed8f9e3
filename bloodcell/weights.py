"""Backbone weights: a user's file becomes an object of the store, named by what it holds."""

import errno
import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from bloodcell.config import WEIGHTS_PREFIX, ExperimentConfig
from bloodcell.errors import WeightsError
from bloodcell.files import scratch, sha256_of, storage_errors
from bloodcell.store import Store


def identify_weights(store: Store, weights: str, sha256: str | None) -> tuple[str, str | None]:
    """What a weights file is called in the store, and its SHA-256. Nothing is written.

    Args:
        store: The store.
        weights: As in `ExperimentConfig.weights`.
        sha256: What the file's SHA-256 must be, where the configuration says.

    Returns:
        The name of the object and its SHA-256; `imagenet` and `none` are returned as they are.

    Raises:
        WeightsError: The file is missing, or has another SHA-256.
        ObjectNotFoundError: The configuration names an object that the store does not hold.
    """
    if weights in ("imagenet", "none"):
        return weights, None
    if weights.startswith(WEIGHTS_PREFIX):
        digest = hashlib.sha256(store.read(weights)).hexdigest()
        _check(weights, digest, sha256)
        return weights, digest
    path = _local(weights)
    digest = _checked_digest(path, sha256)
    return f"{WEIGHTS_PREFIX}{digest[:12]}-{path.name}", digest


def stage_weights(store: Store, weights: str, name: str, sha256: str | None) -> None:
    """Put weights into the store, unless they are there or are no file.

    Args:
        store: Where to.
        weights: As in `ExperimentConfig.weights`.
        name: What they are called there, and
        sha256: their SHA-256; both as `identify_weights` says.

    Raises:
        WeightsError: The file is gone, or another since.
    """
    if weights == name or store.exists(name):
        return
    path = _local(weights)
    _checked_digest(path, sha256)
    store.upload(path, name)


def fetch_weights(store: Store, config: ExperimentConfig, cache: Path) -> Path | None:
    """The weights as a file below `cache`, or None where the configuration names no file.

    Raises:
        WeightsError: The object's SHA-256 is another than the configuration says.
        ObjectNotFoundError: The store does not hold the object.
    """
    if config.weights in ("imagenet", "none"):
        return None
    if not config.weights_in_store:
        raise WeightsError(
            f"weights is {config.weights!r}, a file of one machine; an experiment names an object of the store",
            remedy="run it through a grid, which puts the file there",
        )
    path = cache / "weights" / f"{(config.weights_sha256 or '')[:12]}-{PurePosixPath(config.weights).name}"
    if not path.exists():
        with storage_errors(path.name, str(path.parent), "BLOODCELL_CACHE"), scratch(cache / "scratch") as folder:
            store.download(config.weights, folder / path.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / path.name).replace(path)
    try:
        _checked_digest(path, config.weights_sha256)
    except WeightsError:
        path.unlink(missing_ok=True)
        raise
    return path


def check_weights(path: Path, name: str) -> None:
    """Check that a file is HDF5 throughout, and holds everything itself: a link in it may lead to any other file.

    Args:
        path: The file.
        name: What the configuration calls it.

    Raises:
        WeightsError: It is not, or does not.
    """
    import h5py  # comes with Keras, which the orchestrator does not have

    elsewhere: list[str] = []

    def visit(link: str, found: h5py.Dataset | h5py.Group) -> None:
        if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
            elsewhere.append(link)

    def visit_link(name: str, link: object) -> None:
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            elsewhere.append(name)

    try:
        with h5py.File(path, "r") as file:
            file.visititems_links(visit_link)
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{name} is no HDF5 file, or damaged: {str(error).partition(chr(10))[0]}",
            remedy="name weights as Model.save_weights wrote them; if these are, copy or download the file again",
        ) from error
    if elsewhere:
        raise WeightsError(
            f"{name} refers to other places at {elsewhere[0]}; accepted are files that hold their weights themselves",
            remedy="do not use weights you do not trust; otherwise save them anew with Model.save_weights",
        )


def _local(weights: str) -> Path:
    return Path(os.path.expanduser(weights))  # noqa: PTH111 - Path's own raises where there is no such user


def _checked_digest(path: Path, expected: str | None) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe, which may never end
            raise OSError(errno.EINVAL, "it is no plain file")
        digest = sha256_of(path)
    except (OSError, ValueError) as error:  # a null byte in the path
        raise WeightsError(
            f"weights file {path} cannot be read: {getattr(error, 'strerror', error)}",
            remedy="name a .weights.h5 file, an object `weights/<file>` of the store, `imagenet` or `none`",
        ) from error
    _check(str(path), digest, expected)
    return digest


def _check(name: str, digest: str, expected: str | None) -> None:
    if expected not in (None, digest):
        raise WeightsError(
            f"weights {name} have the SHA-256 {digest}, not {expected}",
            remedy="fetch the file again, or correct weights_sha256",
        )
