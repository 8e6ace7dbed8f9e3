import json
import stat
import subprocess

import pytest

from bloodcell.errors import ConfigError
from deployments.local import configuration
from deployments.local.configuration import Configuration, read, server_environment, shell_lines, write


def test_what_is_written_is_read_and_is_this_users_alone(tmp_path):
    assert read(tmp_path) is None
    own = Configuration(prefect_port=4300)
    write(tmp_path, own)
    assert read(tmp_path) == own
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("stack.json", "env")} == {0o600}


def test_no_two_stacks_have_the_same_keys():
    keys = {key for _ in range(5) for own in [Configuration()] for key in (own.access_key, own.secret_key)}
    assert len(keys) == 10
    assert min(map(len, keys)) >= 20


def test_a_file_that_was_spoilt_is_named(tmp_path):
    write(tmp_path, Configuration())
    path = tmp_path / "stack.json"
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"stack\.json is not JSON"):
        read(tmp_path)
    path.write_text(json.dumps({"prefect_port": 0}))
    with pytest.raises(ConfigError, match="prefect_port"):
        read(tmp_path)


def test_a_shell_that_reads_env_has_the_commands_and_the_stack(tmp_path):
    own = Configuration(s3_port=8400)
    write(tmp_path, own)
    script = 'set -eu; . "$0"; env; command -v bloodcell; command -v prefect'
    foreign = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL_S3": "http://x",
        "PATH": "/usr/bin:/bin",
    }
    said = subprocess.run(
        ["sh", "-c", script, tmp_path / "env"], env=foreign, capture_output=True, text=True, check=True
    )
    lines = said.stdout.splitlines()
    assert {f"{name}={value}" for name, value in own.variables.items()} <= set(lines)
    assert not [line for line in lines if line.startswith(("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"))]
    assert [line.rpartition("/")[2] for line in lines[-2:]] == ["bloodcell", "prefect"]


def test_values_are_quoted_for_the_shell():
    assert "export A='b $(c)'" in shell_lines({"A": "b $(c)"})


def test_the_servers_see_the_users_settings_and_nobody_elses_servers(tmp_path):
    inherited = {
        "HOME": "/home/me", "BLOODCELL_SLOTS": "2", "BLOODCELL_STORE": "file://store",
        "PREFECT_API_URL": "https://api.prefect.cloud", "PREFECT_API_KEY": "k", "PREFECT_PROFILE": "cloud",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://h/p", "AWS_PROFILE": "work",
    }  # fmt: skip
    own = Configuration()
    environment = server_environment(tmp_path, own, inherited)
    assert environment.items() >= own.variables.items()
    assert environment["BLOODCELL_SLOTS"] == "2"
    assert environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == "postgresql+asyncpg://h/p"
    assert environment["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert not {"PREFECT_API_KEY", "PREFECT_PROFILE", "AWS_PROFILE"} & set(environment)


def test_the_checkout_is_the_one_this_is_part_of():
    assert (configuration.CHECKOUT / "deployments" / "prefect.yaml").is_file()
