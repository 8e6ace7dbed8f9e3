"""compose.yaml, read by Docker Compose itself where it is installed."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.deployments.compose import compose_command

FOLDER = Path(__file__).parents[2] / "deployments"
TEXT = (FOLDER / "compose.yaml").read_text()
EXAMPLE = (FOLDER / ".env.example").read_text()
REQUIRED = {
    "POSTGRES_PASSWORD": "of-postgres",
    "S3_ACCESS_KEY": "of-s3",
    "S3_SECRET_KEY": "secret-of-s3",
    "DOCKER_GID": "999",
}


@pytest.fixture
def configured(tmp_path):
    """compose.yaml as Compose reads it with these variables, and no other."""

    def configured(**variables: str) -> "subprocess.CompletedProcess[str]":
        path = tmp_path / "variables"
        path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        command = [*compose_command(), "--env-file", str(path), "--file", str(FOLDER / "compose.yaml"), "config"]
        return subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)

    return configured


@pytest.fixture
def services(configured) -> dict[str, dict]:
    read = configured(**REQUIRED, BLOODCELL_GPUS="0,1")
    assert read.returncode == 0, read.stderr
    return YAML(typ="safe", pure=True).load(read.stdout)["services"]


@pytest.mark.parametrize("missing", REQUIRED)
def test_no_secret_has_a_default(configured, missing):
    read = configured(**{name: value for name, value in REQUIRED.items() if name != missing})
    assert read.returncode != 0
    assert "set it in deployments/.env" in read.stderr


def test_a_secret_is_given_to_those_alone_that_need_it(services):
    holders = {
        secret: {name for name, service in services.items() if REQUIRED[secret] in json.dumps(service)}
        for secret in REQUIRED
    }
    assert holders == {
        "POSTGRES_PASSWORD": {"postgres", "prefect"},
        "S3_ACCESS_KEY": {"s3", "provision", "worker"},
        "S3_SECRET_KEY": {"s3", "provision", "worker"},
        "DOCKER_GID": {"worker"},
    }


def test_every_variable_is_described_and_every_description_is_of_one():
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT)) | set(re.findall(r"^      (BLOODCELL_\w+):$", TEXT, re.MULTILINE))
    assert set(re.findall(r"^#?([A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)) == used


def test_every_default_is_shown():
    shown = set(re.findall(r"^#([A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    another = {"BLOODCELL_STORE", "S3_REGION", "MAKE_BUCKET"}  # shown with the values for a bucket elsewhere
    defaults = {pair for pair in re.findall(r"\$\{([A-Z0-9_]+):?-([^}]*)\}", TEXT) if pair[0] not in another}
    assert len(defaults) > 5
    assert defaults <= shown


def test_the_read_only_worker_has_a_place_for_reports_in_the_making(services):
    worker = services["worker"]
    assert worker["read_only"]
    (cache,) = (volume for volume in map(json.dumps, worker["volumes"]) if "/cache" in volume)
    assert "reports" in cache  # as a named volume: Compose leaves others behind


def test_the_docker_socket_is_in_the_worker_alone(services):
    assert [name for name, service in services.items() if "docker.sock" in json.dumps(service)] == ["worker"]


def test_what_is_published_is_published_to_this_host(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    addresses = {port["host_ip"] if isinstance(port, dict) else port.partition(":")[0] for port in ports}
    assert len(ports) == 2
    assert addresses == {"127.0.0.1"}


def test_experiments_see_the_bucket_and_neither_the_database_nor_the_orchestrator(services):
    assert services["worker"]["environment"]["BLOODCELL_NETWORK"] == "bloodcell-store"
    assert {name for name, service in services.items() if "store" in service["networks"]} == {
        "s3",
        "provision",
        "worker",
    }


def test_the_settings_of_the_host_reach_the_worker_where_they_are_set(services):
    environment = services["worker"]["environment"]
    assert environment["BLOODCELL_GPUS"] == "0,1"
    assert environment.get("BLOODCELL_MEMORY") is None
    assert environment["BLOODCELL_IMAGE"] == services["worker"]["image"] == services["provision"]["image"]


@pytest.mark.parametrize("name", ["prefect", "s3", "provision", "worker"])
def test_containers_are_hardened(services, name):
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_servers_come_back_and_each_waits_for_those_it_needs(services):
    assert {name for name, service in services.items() if service["restart"] == "unless-stopped"} == {
        "postgres", "prefect", "s3", "worker",
    }  # fmt: skip
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert waits == {
        "postgres": {},
        "s3": {},
        "prefect": {"postgres": "service_healthy"},
        "provision": {"prefect": "service_healthy", "s3": "service_healthy"},
        "worker": {"provision": "service_completed_successfully"},
    }
