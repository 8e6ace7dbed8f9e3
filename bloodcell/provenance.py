"""What a result came from: code, packages, machine."""

import hashlib
import io
import os
import platform
import subprocess
import tokenize
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

TRAINING_SIDE = (
    "backbones.py",
    "data/decoded.py",
    "data/pipeline.py",
    "data/splits.py",
    "evaluation.py",
    "model.py",
    "training.py",
)
"""Modules that decide what a training computes; a change in any other retrains nothing."""

_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER}

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "scikit-learn", "pillow", "prefect")


@cache
def code_version() -> str:
    """Hash of the training-side modules without their comments and docstrings: 12 hex digits."""
    package = resources.files("bloodcell")
    digest = hashlib.sha256()
    for name in TRAINING_SIDE:
        digest.update(f"{name}\0{_code_of(package.joinpath(name).read_text(encoding='utf-8'))}\0".encode())
    return digest.hexdigest()[:12]


def _code_of(source: str) -> str:
    """The tokens of a module that do something, separated by spaces."""
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in _SILENT]
    starts = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    kept = []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        begins = before is None or before.type in starts
        ends = after is None or after.type == tokenize.NEWLINE
        if not (token.type == tokenize.STRING and begins and ends):  # a string on its own is a docstring
            kept.append(tokenize.tok_name[token.type] if token.type in starts else token.string)
    return " ".join(kept)


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
        "git_commit": git_commit(),
        "code_version": code_version(),
    }


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
        return commit + ("+changes" if _git(root, "status", "--porcelain") else "")
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
    """The CPU's model name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
