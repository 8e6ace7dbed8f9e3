"""Words as Docker Engine 20.10 to 28 says them. Those that can be had here are also met in tests/integration/docker."""

import pytest
import requests
from docker.errors import APIError, DockerException

from bloodcell.errors import BloodcellError, ConfigError, StorageFullError, TransientError
from tasks.runners.docker.errors import engine_errors, name_is_taken, pull_errors


def api_error(words: str, status: int = 500) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("error", response=response, explanation=words)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', ConfigError, "no NVIDIA runtime is installed"),
        ("nvidia-container-cli: device error: 7: unknown device: unknown", ConfigError, "refused the GPU"),
        ("No such image: bloodcell:cpu", ConfigError, "is not on this host"),
        ("dial unix containerd.sock: connection refused", BloodcellError, "refused: dial unix"),
        ('exec: "bloodcell": executable file not found in $PATH: unknown', ConfigError, "cannot run an experiment"),
        ("network grid not found", ConfigError, "does not exist"),
        ("mkdir /var/lib/docker/x: no space left on device", StorageFullError, "no disk space"),
        ("range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", ConfigError, "refused the limits"),
        ("Minimum memory limit allowed is 6MB", ConfigError, "refused the limits"),
        ("something new", BloodcellError, "refused: something new"),
    ],
)
def test_the_engines_words_become_an_error_with_a_remedy(words, kind, said):
    with pytest.raises(BloodcellError, match=said) as caught, engine_errors("experiment basic"):
        raise api_error(words)
    assert type(caught.value) is kind
    assert caught.value.problem.startswith("experiment basic: ")
    assert words in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("words", ["pull access denied for x", "dial tcp: lookup r: no such host", "anything"])
def test_an_image_that_cannot_be_pulled(words):
    with pytest.raises(ConfigError, match="could not be pulled") as caught, pull_errors("bloodcell:cpu"):
        raise api_error(words)
    assert words in caught.value.problem
    assert "make image" in caught.value.remedy


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (DockerException("Error while fetching server API version: Connection refused"), TransientError, "not answer"),
        (requests.ReadTimeout("timed out"), TransientError, "not answer"),
        (DockerException("PermissionError(13, 'Permission denied')"), ConfigError, "this user may not use"),
    ],
)
def test_an_engine_out_of_reach(error, kind, said):
    with pytest.raises(BloodcellError, match=said) as caught, engine_errors("experiment basic"):
        raise error
    assert type(caught.value) is kind


def test_a_taken_name_is_told_from_other_conflicts():
    assert name_is_taken(api_error('Conflict. The container name "/a" is already in use by container "b"', 409))
    assert not name_is_taken(api_error("You cannot remove a running container", 409))
    assert not name_is_taken(api_error("already in use", 500))
