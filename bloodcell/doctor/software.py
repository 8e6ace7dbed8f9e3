"""Python, the packages and this project's own code."""

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bloodcell import __version__
from bloodcell.doctor.check import Check, failure, ok, warning
from bloodcell.errors import ConfigError
from bloodcell.provenance import code_version, git_commit

_TENSORFLOWS = {"tensorflow", "tensorflow-cpu"}
_REINSTALL = (
    "install from the lock file: pip install --require-hashes -r requirements-cpu.txt -c requirements-cpu.txt, or -gpu"
)


def checks() -> Iterator[Check]:
    """Python, packages, TensorFlow's package, and the code."""
    try:
        project = metadata.metadata("bloodcell")
    except metadata.PackageNotFoundError:
        bare = ConfigError(
            "bloodcell runs from a folder, and is not installed", remedy="install it: pip install --no-deps ."
        )
        yield failure("packages", bare)
        return
    asked = [Requirement(line) for line in project.get_all("Requires-Dist") or ()]
    installed: dict[str, str] = {canonicalize_name(found.name): found.version for found in metadata.distributions()}
    yield python(platform.python_version(), project["Requires-Python"])
    yield packages([each for each in asked if _applies(each, "")], installed)
    yield tensorflow([each for each in asked if _applies(each, "cpu") or _applies(each, "gpu")], installed)
    yield code(git_commit())


def python(running: str, accepted: str) -> Check:
    """Whether the interpreter is one that the project accepts.

    Args:
        running: Its version.
        accepted: The project's Requires-Python.
    """
    if not SpecifierSet(accepted).contains(running, prereleases=True):
        return failure(
            "Python",
            ConfigError(f"{running}; accepted is {accepted}", remedy="make the environment with such a Python"),
        )
    return ok("Python", running)


def packages(asked: list[Requirement], installed: Mapping[str, str]) -> Check:
    """Whether the packages are those that the project asks for.

    Args:
        asked: Its requirements.
        installed: Version by name.
    """
    unmet = _unmet(asked, installed)
    if unmet:
        return failure("packages", ConfigError(", ".join(unmet), remedy=_REINSTALL))
    return ok("packages", f"{len(asked)} as asked for")


def tensorflow(asked: list[Requirement], installed: Mapping[str, str]) -> Check:
    """Whether one TensorFlow is installed, and it and Keras are the versions that the project asks for.

    Args:
        asked: The requirements of the extras `cpu` and `gpu`.
        installed: Version by name.
    """
    found = sorted(_TENSORFLOWS & installed.keys())
    if not found:
        return warning(
            "TensorFlow",
            "not installed: a grid can be run from here, and its experiments cannot",
            remedy="install the extra `cpu` or `gpu` where experiments are to run",
        )
    if len(found) > 1:
        both = ConfigError(f"{' and '.join(found)} break each other", remedy="make the environment anew, with one")
        return failure("TensorFlow", both)
    unmet = _unmet([each for each in asked if each.name not in _TENSORFLOWS or each.name in found], installed)
    if unmet:
        return failure("TensorFlow", ConfigError(", ".join(unmet), remedy=_REINSTALL))
    return ok("TensorFlow", f"{found[0]} {installed[found[0]]}, Keras {installed['keras']}")


def code(commit: str | None) -> Check:
    """Which code this is.

    Args:
        commit: Its commit; None where nothing tells it.
    """
    version = f"bloodcell {__version__}, code {code_version()}"
    if commit is None:
        return warning(
            "code",
            f"{version}, of no known commit: results cannot name theirs",
            remedy="build the image with `make image`, or set BLOODCELL_GIT_COMMIT",
        )
    return ok("code", f"{version}, commit {commit}")


def _applies(requirement: Requirement, extra: str) -> bool:
    """Whether a requirement holds on this machine, for an extra of the project or, where that is empty, for none."""
    if requirement.marker is None:
        return not extra
    return requirement.marker.evaluate({"extra": extra}) and not (extra and requirement.marker.evaluate({"extra": ""}))


def _unmet(asked: list[Requirement], installed: Mapping[str, str]) -> list[str]:
    """Each requirement that is not met, in words."""
    lines = []
    for requirement in asked:
        version = installed.get(canonicalize_name(requirement.name))
        if version is None:
            lines.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            lines.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    return lines
