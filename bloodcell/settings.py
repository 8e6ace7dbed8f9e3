"""Where things are on this machine; nothing here changes what an experiment computes."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bloodcell.errors import ConfigError

_SIZE = r"^[1-9][0-9]*[bkmg]?$"
"""A size as Docker writes it."""


def cpus() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings(BaseSettings):
    """Settings of the environment: each field is the variable BLOODCELL_<FIELD>.

    Those from `image` on concern containers alone, those from `deployment` on work pools, and `time_limit` both;
    `gpu_memory` concerns whatever trains on a GPU.
    """

    model_config = SettingsConfigDict(env_prefix="BLOODCELL_", frozen=True, extra="ignore")

    store: str = Field(
        "file://store",
        description="URL of the object store: file://<folder>, relative to the work folder, or s3://<bucket>/<prefix>.",
    )
    cache: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bloodcell",
        description="Folder for decoded images and for files in the making; safe to delete while nothing runs.",
    )
    cache_limit: str = Field(
        "20g",
        pattern=_SIZE,
        description="Disk space for decoded images in the cache; those longest unused go first, those in use stay.",
    )
    runner: Literal["process", "docker", "work_pool"] = Field(
        "process",
        description="What runs an experiment: a child process, a container of this host, or a flow run on a work pool.",
    )
    slots: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Experiments that run at once; on GPUs their number decides instead. `auto`: as many as a grid run "
        "measures to be fastest, where they are processes on the CPU; else 1.",
    )
    threads: int | None = Field(
        None, ge=1, description="CPU threads an experiment; the machine's cores shared by the slots where left out."
    )
    checkpoint_minutes: float = Field(
        5.0, gt=0, description="Minutes after which a training is saved within an epoch; at its end it always is."
    )
    lease: float = Field(
        60.0,
        ge=1,
        description="Seconds after which an experiment is free for others whose process, on another machine or in "
        "another container, has fallen silent.",
    )
    stall_limit: int = Field(
        1800,
        ge=1,
        description="Seconds without a word after which an experiment is taken for hung, stopped and tried again; it "
        "says every 15 s how far it is, unless a single step of training, upload or picture takes longer.",
    )
    grace: int = Field(
        20,
        ge=0,
        le=25,
        description="Seconds between SIGTERM and SIGKILL; Prefect gives a cancelled flow run 30 in all.",
    )
    image: str = Field("bloodcell:cpu", description="Image of the experiments' containers.")
    gpus: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Ids of the GPUs to lease, by comma, as nvidia-smi names them: 0,1 or GPU-<uuid>; none for CPU."
    )
    gpu_slots: int = Field(1, ge=1, description="Experiments that share one GPU.")
    gpu_memory: int | None = Field(
        None, ge=1, description="MiB of a GPU's memory that an experiment may take; as much as it needs where left out."
    )
    memory: str | None = Field(None, pattern=_SIZE, description="Memory limit of a container, such as 12g.")
    shm: str = Field("1g", pattern=_SIZE, description="Size of /dev/shm in a container.")
    time_limit: int | None = Field(None, ge=1, description="Seconds after which an experiment is stopped and failed.")
    network: str = Field(
        "bridge", description="Docker network of the containers; they must reach the store through it."
    )
    cache_volume: str = Field(
        "bloodcell-cache", description="Docker volume that is the cache of every container of this host."
    )
    deployment: str = Field(
        "experiment/pool",
        pattern=r"^[^/]+/[^/]+$",
        description="Deployment that the runner work_pool sends experiments to, as <flow>/<deployment>.",
    )
    window: int = Field(
        64,
        ge=1,
        le=256,
        description="Experiments that a grid run has on the work pool at once, waiting or running.",
    )
    claim_limit: int = Field(
        600,
        ge=1,
        description="Seconds within which a worker must start what it has claimed; the image may have to be pulled.",
    )

    @field_validator("gpus", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def concurrent(self) -> int:
        """Experiments that may run at once; 1 where that is still to be measured."""
        if self.runner == "work_pool":
            return self.window
        return len(self.gpus) * self.gpu_slots or (1 if self.slots == "auto" else self.slots)

    @property
    def measures_slots(self) -> bool:
        """Whether a grid run is to find out how many experiments at once are fastest."""
        return self.slots == "auto" and self.runner == "process" and not self.gpus

    @property
    def cache_limit_bytes(self) -> int:
        """The limit of decoded images in bytes."""
        digits = self.cache_limit.rstrip("bkmg")
        return int(digits) << 10 * "bkmg".index(self.cache_limit[len(digits) :] or "b")

    @property
    def threads_per_experiment(self) -> int:
        """CPU threads each experiment computes with; at least one."""
        return self.threads or max(1, cpus() // self.concurrent)


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises:
        ConfigError: A BLOODCELL_ variable is not accepted.
    """
    try:
        return Settings()
    except ValidationError as refused:
        lines = [
            f"  BLOODCELL_{str(item['loc'][0]).upper()}: {item['msg']}; received {item['input']!r}"
            for item in refused.errors()
        ]
        raise ConfigError(
            "\n".join(["the environment is not valid:", *lines]), remedy="correct or unset the variables named above"
        ) from refused
