"""What a container is given, decided without talking to Docker."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from docker.types import DeviceRequest, LogConfig, Mount

from bloodcell.errors import ConfigError
from bloodcell.settings import Settings
from tasks.runners.base import GridRunId
from tasks.runners.docker.owner import Owner

CACHE = "/cache"
"""Where the cache volume is in a container."""

LABEL = "bloodcell.key"
"""The label by which a container is known as an experiment's."""

OWNER_LABEL = "bloodcell.owner"

_TMP = "rw,nosuid,nodev,noexec,size=1g"
_PROCESSES = 4096
"""TensorFlow starts threads by the core; a runaway fork must not take the host along."""

# Paths of this host, which mean nothing in a container.
_CREDENTIAL_FILES = {
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}
_HOST_FILES = _CREDENTIAL_FILES | {"AWS_CONFIG_FILE", "AWS_CA_BUNDLE"}
_PASSED = {"TF_CPP_MIN_LOG_LEVEL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}


def container_settings(
    settings: Settings,
    run: GridRunId,
    owner: Owner,
    *,
    key: str,
    row: str,
    gpu: str | None,
    name: str,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """Arguments of `docker.containers.create` for one experiment.

    The root file system is read-only, all capabilities are dropped, and no socket is inside: an experiment needs the
    store, its cache and a scratch folder, and nothing of the host.

    Args:
        settings: Where things are, and the limits.
        run: The grid run, for the labels.
        owner: The process that will stop and remove the container.
        key: The experiment.
        row: Its row's name in the grid, with its seed where there are several.
        gpu: Id of the GPU leased to it; None for CPU.
        name: The container's name.
        environment: As from `container_environment`.
    """
    return {
        "image": settings.image,
        "command": ["bloodcell", "run", "--key", key],
        "name": name,
        "labels": {
            LABEL: key,
            "bloodcell.row": row,
            "bloodcell.grid": run.grid,
            "bloodcell.run": run.run_id,
            "bloodcell.flow-run": run.flow_run_id,
            OWNER_LABEL: owner.model_dump_json(),
        },
        "environment": dict(environment),
        "network": settings.network,
        "device_requests": [DeviceRequest(device_ids=[gpu], capabilities=[["gpu"]])] if gpu else None,
        "mem_limit": settings.memory,
        "memswap_limit": settings.memory,  # equal to the limit: no swap, in which a training would crawl
        "nano_cpus": settings.threads_per_experiment * 10**9,
        "shm_size": settings.shm,
        "pids_limit": _PROCESSES,
        "read_only": True,
        "tmpfs": {"/tmp": _TMP},  # noqa: S108 - the container's own
        "mounts": [Mount(CACHE, settings.cache_volume, type="volume")],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "init": True,  # reaps children and passes SIGTERM on
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "3"}),
    }


def container_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """An experiment's variables: the store and its credentials, and no other of this process's.

    Args:
        settings: Where things are.
        inherited: Variables of this process, of which those of the object store and of proxies are passed on.
    """
    passed = {
        name: value
        for name, value in inherited.items()
        if name in _PASSED or (name.startswith("AWS_") and name not in _HOST_FILES)
    }
    limited = {"BLOODCELL_GPU_MEMORY": str(settings.gpu_memory)} if settings.gpu_memory else {}
    own = {
        "BLOODCELL_STORE": settings.store,
        "BLOODCELL_CACHE": CACHE,
        "BLOODCELL_CACHE_LIMIT": settings.cache_limit,
        "BLOODCELL_SLOTS": str(settings.slots),
        "BLOODCELL_THREADS": str(settings.threads_per_experiment),
        "BLOODCELL_CHECKPOINT_MINUTES": str(settings.checkpoint_minutes),
        "BLOODCELL_LEASE": str(settings.lease),
        "PYTHONUNBUFFERED": "1",
    }
    return {"TF_CPP_MIN_LOG_LEVEL": "2"} | passed | limited | own


def lease_names(settings: Settings) -> list[tuple[str | None, str]]:
    """The slots a container may take, as (GPU id, container name), in the order in which they are tried.

    The engine refuses a second container of a name, whoever asks: so the name is the lease, it is taken and given
    back with the container, and no two grid runs of a host can hold one. One slot of each GPU comes before the
    second of any. On CPU every container is a slot of its own.
    """
    if not settings.gpus:
        return [(None, f"bloodcell-{uuid4().hex[:12]}")]
    return [
        (gpu, f"bloodcell-gpu-{re.sub(r'[^a-zA-Z0-9_.-]', '-', gpu)}-slot-{slot}")
        for slot in range(settings.gpu_slots)
        for gpu in settings.gpus
    ]


def check_reachable(settings: Settings, inherited: Mapping[str, str]) -> None:
    """See that a container can use the store at all.

    Raises:
        ConfigError: The store is a folder of this host, or an address that means another machine in a container.
    """
    if not settings.store.startswith("s3://"):
        raise ConfigError(
            f"store URL is {settings.store!r}, which a container cannot reach; the runner docker accepts s3://<bucket>",
            remedy="set BLOODCELL_STORE to a bucket, or BLOODCELL_RUNNER=process",
        )
    if (files := sorted(_CREDENTIAL_FILES & set(inherited))) and "AWS_ACCESS_KEY_ID" not in inherited:
        raise ConfigError(
            f"the credentials of the store are in files that {', '.join(files)} names, which containers do not see",
            remedy="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as `aws configure export-credentials` prints them",
        )
    endpoint = inherited.get("AWS_ENDPOINT_URL_S3") or inherited.get("AWS_ENDPOINT_URL") or ""
    host = urlsplit(endpoint).hostname or ""
    if settings.network != "host" and (host in ("localhost", "::1") or host.startswith("127.")):
        raise ConfigError(
            f"the S3 endpoint is at {host}, which inside a container is the container itself",
            remedy="name an address that containers reach, or set BLOODCELL_NETWORK=host",
        )
