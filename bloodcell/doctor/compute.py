"""Whether TensorFlow computes here, and on what."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import NamedTuple

from pydantic import BaseModel

from bloodcell.doctor.check import Check, failure, ok, warning
from bloodcell.errors import ConfigError

_PATIENCE_SECONDS = 600
"""A GPU newer than this TensorFlow has its code compiled at first use, which takes minutes."""


class Computed(BaseModel):
    """What the probe did.

    Attributes:
        device: Where the product was computed.
        gpus: Names of the GPUs that TensorFlow sees.
        correct: Whether the product is right.
        kernel: Whether it runs the kernel of `bloodcell.batch_norm_relu` next: one is compiled, and a CPU computes.
    """

    device: str
    gpus: tuple[str, ...]
    correct: bool
    kernel: bool


class Kernel(BaseModel):
    """What that kernel did in the probe.

    Attributes:
        correct: Whether outputs and gradients are right.
    """

    correct: bool


class Probed(NamedTuple):
    """What the probe answered; of the kernel None where it did not run."""

    computed: Computed
    kernel: Kernel | None


def checks() -> Iterator[Check]:
    """A product of two matrices, and the GPUs; nothing where there is no TensorFlow."""
    if find_spec("tensorflow") is None:
        return
    try:
        computed, own = probe()
    except ConfigError as error:
        yield failure("computing", error)
        return
    yield product(computed)
    yield gpus(computed.gpus, os.environ)
    if not computed.gpus:
        yield kernel(own)


def probe() -> Probed:
    """Have TensorFlow compute in a process of its own.

    Where TensorFlow does not fit the processor or the driver it ends its process, and would take the doctor along.

    Raises:
        ConfigError: It did not compute.
    """
    # An experiment that runs on the GPU meanwhile must keep its memory.
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    command = [sys.executable, "-m", "bloodcell.doctor.probe"]
    try:
        child = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"TensorFlow did not multiply two matrices in {_PATIENCE_SECONDS} s", remedy="look at the load and the GPU"
        ) from error
    # Others print too when they are imported: a plugin of TensorFlow, the site's own module.
    answers = [line for line in child.stdout.splitlines() if line.startswith("{")]
    computed = Computed.model_validate_json(answers[0]) if answers else None
    if computed is None or (child.returncode and not computed.kernel):
        raise ended(child.returncode, child.stderr)
    if child.returncode:
        return Probed(computed, Kernel(correct=False))
    return Probed(computed, Kernel.model_validate_json(answers[1]) if computed.kernel else None)


def ended(code: int, said: str) -> ConfigError:
    """The error of a probe that did not come to its end.

    Args:
        code: Its exit code: minus the signal's number where a signal ended it.
        said: What it wrote on stderr.
    """
    if code == -signal.SIGILL:
        return ConfigError(
            "TensorFlow uses instructions that this processor does not have",
            remedy="run on an x86 processor with AVX, or build TensorFlow for this one",
        )
    reason = (said.strip().splitlines() or ["it said nothing"])[-1]
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return ConfigError(
        f"TensorFlow ended with {how}: {reason}", remedy="run `python -m bloodcell.doctor.probe` to see all it says"
    )


def product(computed: Computed) -> Check:
    """Whether the product of two matrices is right."""
    if not computed.correct:
        wrong = ConfigError(f"a product of matrices is wrong on {computed.device}", remedy="replace that device")
        return failure("computing", wrong)
    return ok("computing", f"a product of matrices is right on {computed.device.rpartition('device:')[2]}")


def kernel(own: Kernel | None) -> Check:
    """Whether the kernel is there that this project has for CPUs, and computes.

    Args:
        own: What it did; None where it is not compiled.
    """
    if own and own.correct:
        return ok("kernel", "that for batch normalisation with ReLU on a CPU is compiled, and right")
    if own:
        broken = "that for batch normalisation with ReLU on a CPU is compiled, and cannot be loaded or computes wrongly"
        remedy = "delete the package's batch_norm_relu-*.so: TensorFlow's own kernels do the same, a little slower"
        return failure("kernel", ConfigError(broken, remedy=remedy))
    return warning(
        "kernel",
        "that for batch normalisation with ReLU on a CPU is not compiled: MobileNet trains slower",
        remedy="with a C++ compiler, as Debian's g++, run pip install --verbose --no-deps --no-build-isolation "
        "--editable . and see what it says; or build the image on a base that has one",
    )


def gpus(seen: tuple[str, ...], environment: Mapping[str, str]) -> Check:
    """Whether the GPUs that this process was given are there.

    Args:
        seen: Names of the GPUs that TensorFlow sees.
        environment: This process's variables. NVIDIA's runtime sets NVIDIA_VISIBLE_DEVICES in a container.
    """
    if seen:
        return ok("GPUs", ", ".join(seen))
    given = environment.get("NVIDIA_VISIBLE_DEVICES", "")
    if given not in ("", "none", "void"):
        return failure(
            "GPUs",
            ConfigError(
                f"the container was given {given} (NVIDIA_VISIBLE_DEVICES), and TensorFlow sees none",
                remedy="use an image built with EXTRA=gpu, and a driver that `nvidia-smi` shows as CUDA 12 or newer",
            ),
        )
    if leased := environment.get("BLOODCELL_GPUS"):
        return warning(
            "GPUs",
            f"none here; containers are to get {leased} (BLOODCELL_GPUS)",
            remedy="ask one: docker run --rm --gpus all <image> bloodcell doctor",
        )
    return ok("GPUs", "none: experiments run on the CPU")
