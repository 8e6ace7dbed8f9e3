"""What is wrong around a grid gives one message, in the flow run's state, with the remedy."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from bloodcell.data.ingest import push
from flows.grid.flow import grid as grid_flow


@pytest.fixture
def refusal(prefect, s3_store, coloured_folder, grid_file, monkeypatch):
    """Runs a grid of two in an environment with something wrong; gives the message that the server has of its end."""
    push(s3_store, coloured_folder, name="coloured")

    def run(**wrong: str) -> str:
        right = {"BLOODCELL_RUNNER": "docker", "BLOODCELL_NETWORK": "host", "BLOODCELL_SLOTS": "2"}
        for name, value in (right | wrong).items():
            monkeypatch.setenv(name, value)
        with temporary_settings({PREFECT_API_URL: prefect.api}):
            state = grid_flow(grid=grid_file(a={}, b={"dropout": 0.1}), return_state=True)
        with prefect.client() as client:
            state = client.read_flow_run(state.state_details.flow_run_id).state
        assert state.is_failed()
        assert state.message.count("Remedy:") == 1
        return state.message

    return run


def test_wrong_credentials(refusal):
    message = refusal(AWS_SECRET_ACCESS_KEY="no-such-secret")
    assert "the secret key does not belong to the access key" in message
    assert "correct AWS_SECRET_ACCESS_KEY" in message
    assert "no-such-secret" not in message


def test_a_missing_bucket(refusal):
    message = refusal(BLOODCELL_STORE="s3://no-such-bucket/x")
    assert "s3://no-such-bucket/x" in message
    assert "there is no such bucket" in message


def test_a_bucket_that_may_only_be_read(refusal, reader):
    message = refusal(AWS_ACCESS_KEY_ID=reader.access, AWS_SECRET_ACCESS_KEY=reader.secret)
    assert "no permission for experiments/" in message
    assert "s3:PutObject" in message


def test_a_missing_image(refusal, engine):
    message = refusal(DOCKER_HOST=engine.url, BLOODCELL_IMAGE="bloodcell-none:1")
    assert "image bloodcell-none:1: the image is not on this host, and could not be pulled" in message
    assert "make image" in message


def test_no_engine(refusal):
    message = refusal(DOCKER_HOST="unix:///nowhere/docker.sock")
    assert "the Docker Engine does not answer" in message


def test_no_gpu_runtime(refusal, plain_engine):
    message = refusal(DOCKER_HOST=plain_engine.url, BLOODCELL_IMAGE="empty", BLOODCELL_GPUS="0")
    assert message.startswith("2 of 2 experiments failed.")
    assert "no NVIDIA runtime is installed" in message
    assert "NVIDIA Container Toolkit" in message
