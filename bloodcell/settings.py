"""Where things are on this machine; nothing here changes what an experiment computes."""

import os
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bloodcell.errors import ConfigError


def cpus() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings(BaseSettings):
    """Settings of the environment: each field is the variable BLOODCELL_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="BLOODCELL_", frozen=True, extra="ignore")

    store: str = Field(
        "file://store", description="URL of the object store; file://<folder>, relative to the work folder."
    )
    cache: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "bloodcell",
        description="Folder for downloaded datasets and decoded images; safe to delete at any time.",
    )
    slots: int = Field(1, ge=1, description="Experiments that run at once on this machine.")
    threads: int | None = Field(
        None, ge=1, description="CPU threads an experiment; the machine's cores shared by the slots where left out."
    )

    @property
    def threads_per_experiment(self) -> int:
        """CPU threads each experiment computes with; at least one."""
        return self.threads or max(1, cpus() // self.slots)


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
