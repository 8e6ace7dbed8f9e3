"""The image, built as a user builds it, on a base that is made here where no registry can be reached."""

import ast
import os
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
PUBLIC = "python:3.11-slim-bookworm"  # the Dockerfile's own default
BASE = "bloodcell-test-base"

_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_PACKAGES = ("python3", "python3-venv", "ca-certificates")
_PIP_SETTINGS = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries"}


class NotPossibleError(Exception):
    """Why no image can be made here, in a sentence: a reason to skip."""


def base_image(host: str) -> str:
    """Make the base image, unless the engine has it.

    It is the public one where that can be pulled, else Debian's packages; with this machine's certificates and
    pip's settings, so that a build in it reaches what this machine reaches.

    Args:
        host: The engine's URL, as for DOCKER_HOST.

    Returns:
        The image's name.

    Raises:
        NotPossibleError: There is no registry, and debootstrap cannot be used.
    """
    if docker(host, "image", "inspect", BASE).returncode == 0:
        return BASE
    public = docker(host, "pull", "--quiet", PUBLIC).returncode == 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        origin = PUBLIC if public else _import_debian(host, folder / "debian")
        context = folder / "context"
        context.mkdir()
        shutil.copy(ssl.get_default_verify_paths().cafile or _AUTHORITIES, context / "authorities.crt")
        listed = _checked([sys.executable, "-m", "pip", "config", "list"])
        (context / "pip.conf").write_text(pip_configuration(listed))
        (context / "Dockerfile").write_text(
            f"FROM {origin}\nCOPY authorities.crt {_AUTHORITIES}\nCOPY pip.conf /etc/pip.conf\n"
        )
        _checked(["docker", "-H", host, "build", "--quiet", "--tag", BASE, str(context)])
    return BASE


def pip_configuration(listed: str) -> str:
    """pip.conf for the base: what says where packages come from, but for folders of this machine.

    Args:
        listed: What `pip config list` printed.
    """
    settings = {"cert": _AUTHORITIES}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):  # variables win
        name, _, value = line.partition("=")
        words = [word for word in ast.literal_eval(value).split() if not word.startswith(("/", "file:"))]
        if name.rpartition(".")[2] in _PIP_SETTINGS and words:
            settings[name.rpartition(".")[2]] = " ".join(words)
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items()), ""])


def build_image(
    host: str, base: str, tag: str, *, context: Path = ROOT, buildkit: bool | None = None, flags: tuple[str, ...] = ()
) -> str:
    """Build the project's Dockerfile.

    Args:
        host: The engine's URL.
        base: The base image.
        tag: Name of the image.
        context: The checkout.
        buildkit: Which of Docker's builders; the client's own choice where left out.
        flags: More arguments of `docker build`.

    Returns:
        `tag`.

    Raises:
        NotPossibleError: No client here has that builder.
        CalledProcessError: The build failed; its output was printed.
    """
    client, environment = "docker", dict(os.environ)
    if buildkit is not None:
        environment["DOCKER_BUILDKIT"] = str(int(buildkit))
        client = client_of(environment)
    command = [client, "-H", host, "build", "--network", "host", "--build-arg", f"BASE={base}", "--tag", tag, *flags]
    _checked([*command, str(context)], environment)
    return tag


def make_image(host: str, base: str, tag: str) -> str:
    """Build the image as the README says, with `make image`, and return what its doctor printed last."""
    variables = [f"BASE={base}", f"IMAGE={tag}", "BUILD_FLAGS=--network host", f"PYTHON={sys.executable}", "EXTRA=cpu"]
    return _checked(["make", "-C", str(ROOT), "image", *variables], os.environ | {"DOCKER_HOST": host})


def client_of(environment: dict[str, str]) -> str:
    """The first Docker client on the PATH that can build in this environment: newer ones need a plugin for BuildKit."""
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    found = dict.fromkeys(client for folder in folders if (client := shutil.which("docker", path=folder)))
    for client in found:
        if (
            subprocess.run([client, "build", "--help"], env=environment, capture_output=True, check=False).returncode
            == 0
        ):
            return client
    raise NotPossibleError(f"no docker client here builds with DOCKER_BUILDKIT={environment['DOCKER_BUILDKIT']}")


def docker(host: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the Docker client; its exit code is the caller's to look at."""
    return subprocess.run(["docker", "-H", host, *arguments], capture_output=True, text=True, check=False)


def _import_debian(host: str, folder: Path) -> str:
    """Import Debian's smallest system with Python."""
    tag = "bloodcell-test-debian"
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise NotPossibleError(f"{PUBLIC} cannot be pulled, and making a base needs root and debootstrap")
    try:
        _checked(["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", "bookworm", str(folder)])
    except subprocess.CalledProcessError as error:
        raise NotPossibleError(f"debootstrap could not make a base: {error.output[-300:]}") from error
    for cached in (*folder.glob("var/cache/apt/archives/*.deb"), *folder.glob("var/lib/apt/lists/*_*")):
        cached.unlink()
    _checked(["sh", "-c", f"tar -C {shlex.quote(str(folder))} -c . | docker -H {shlex.quote(host)} import - {tag}"])
    return tag


def _checked(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command that must succeed; returns what it printed, and shows it where it fails."""
    ended = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if ended.returncode:
        sys.stdout.write(ended.stdout)
    ended.check_returncode()
    return ended.stdout
