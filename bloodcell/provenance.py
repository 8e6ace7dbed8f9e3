"""What a result came from: code, packages, machine."""

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

TRAINING_SIDE = (
    "adam.py",
    "augmentation.py",
    "backbones.py",
    "batch_norm.py",
    "batch_norm_relu.cc",
    "batch_norm_relu.py",
    "convolutions.py",
    "data/decoded.py",
    "data/pipeline.py",
    "data/sources.py",
    "data/splits.py",
    "evaluation.py",
    "faster.py",
    "keras_import.py",
    "model.py",
    "training.py",
    "training_loop.py",
    "waiting.py",
)
"""Modules that decide what a training computes; a change in any other retrains nothing."""

_COMPUTING = (("tensorflow", "tensorflow-cpu"), ("keras",))
"""Packages that compute it, each by all of its names."""

_CODE = ("bloodcell", "tasks", "flows", "deployments", "pyproject.toml", "setup.py", "requirements-*.txt")
"""What of a checkout runs: a grid file that a user put beside it changes no code."""

_INSTRUCTIONS = ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16")
"""By which oneDNN chooses its kernels, as Linux names them."""

NOT_USED = "not used"
"""What environment.json says of the kernel of `bloodcell.batch_norm_relu` where a training has no use for it."""

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "scikit-learn", "pillow", "prefect")


@cache
def code_version() -> str:
    """Hash of the training-side modules and of the releases of TensorFlow and Keras, as 2.21, that they compute with.

    It is the same on every Python and operating system, of 12 hex digits. It is read once in a process, which computes
    with the modules that it imported, whatever becomes of the files.
    """
    package = resources.files("bloodcell")
    digest = hashlib.sha256()
    for name in TRAINING_SIDE:
        digest.update(f"{name}\0{package.joinpath(name).read_text(encoding='utf-8')}\0".encode())
    for names in _COMPUTING:
        version = next(filter(None, map(_version, names)), "none")
        digest.update(f"{names[0]}\0{'.'.join(version.split('.')[:2])}\0".encode())
    return digest.hexdigest()[:12]


def environment(*, device: str, threads: int) -> dict[str, Any]:
    """The part of environment.json that does not depend on the experiment.

    Args:
        device: What computed: `CPU`, or the GPU's name.
        threads: CPU threads computed with.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "platform": platform.platform(),
        "device": device,
        "processor": _processor(),
        "threads": threads,
        "oneDNN": _onednn(),
        "git_commit": git_commit(),
        "code_version": code_version(),
    }


def _onednn() -> str:
    """Whether TensorFlow was asked for the kernels of oneDNN, as `bloodcell.keras_import` does where nobody did."""
    asked = {"1": "on", "true": "on", "0": "off", "false": "off"}
    return asked.get(os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower(), "as TensorFlow chooses")


def git_commit() -> str | None:
    """Commit of the checkout the code runs from, `+changes` added where it differs; None outside a checkout.

    An image is built without .git; there the variable BLOODCELL_GIT_COMMIT holds the commit.
    """
    if commit := os.environ.get("BLOODCELL_GIT_COMMIT"):
        return commit
    root = Path(__file__).resolve().parent.parent
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return None  # installed inside another project's checkout
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--", *_CODE) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The CPU as Linux tells it: `AMD EPYC, family 26, model 2 (avx2 avx512_vnni avx512_bf16)`.

    Clouds give several generations one name: it alone tells neither how fast a processor is nor to which bit it rounds.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    first = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    told = {name.strip(): value.strip() for name, _, value in first}
    if "model name" not in told:
        return platform.processor()  # not an x86
    kind = [f"{short} {told[name]}" for name, short in (("cpu family", "family"), ("model", "model")) if name in told]
    instructions = [each for each in _INSTRUCTIONS if each in told.get("flags", "").split()]
    return ", ".join([told["model name"], *kind]) + (f" ({' '.join(instructions)})" if instructions else "")
