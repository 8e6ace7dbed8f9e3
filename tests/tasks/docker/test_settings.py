import pytest

from bloodcell.errors import ConfigError
from bloodcell.settings import Settings
from tasks.runners.base import GridRunId
from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import check_reachable, container_environment, container_settings, lease_names

RUN = GridRunId("blood-cell", "20261124T020000Z-abcdef", "019ab")
SECRETS = {"AWS_ACCESS_KEY_ID": "planted-id", "AWS_SECRET_ACCESS_KEY": "planted-key", "AWS_SESSION_TOKEN": "planted-t"}


def made(gpu=None, inherited=SECRETS, **fields):
    settings = Settings(store="s3://bucket/x", threads=2, **fields)
    return container_settings(
        settings, RUN, Owner.this_process(),
        key="k1", row="basic", gpu=gpu, name="n1", environment=container_environment(settings, inherited),
    )  # fmt: skip


def test_a_container_may_nothing_that_an_experiment_needs_not():
    settings = made()
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert list(settings["tmpfs"]) == ["/tmp"]
    assert [(mount["Target"], mount["Type"]) for mount in settings["mounts"]] == [("/cache", "volume")]
    assert "privileged" not in settings
    assert settings["device_requests"] is None


def test_labels_say_what_it_is_and_hold_no_secret():
    labels = made()["labels"]
    assert labels["bloodcell.key"] == "k1"
    assert labels["bloodcell.row"] == "basic"
    assert labels["bloodcell.run"] == RUN.run_id
    assert labels["bloodcell.flow-run"] == "019ab"
    assert Owner.model_validate_json(labels["bloodcell.owner"]).is_alive(lambda _: None)
    assert "planted" not in str(labels) + str(made()["command"])


def test_credentials_are_in_the_environment_alone():
    environment = made(inherited=SECRETS | {"AWS_ENDPOINT_URL": "http://s3:9000"})["environment"]
    assert environment.items() >= SECRETS.items()
    assert environment["AWS_ENDPOINT_URL"] == "http://s3:9000"


def test_nothing_else_of_this_process_is_passed_on():
    inherited = {"PREFECT_API_KEY": "p", "HOME": "/root", "AWS_PROFILE": "me", "AWS_CA_BUNDLE": "/etc/x", "TOKEN": "t"}
    assert set(made(inherited=inherited)["environment"]) == {
        "BLOODCELL_CACHE", "BLOODCELL_CACHE_LIMIT", "BLOODCELL_CHECKPOINT_MINUTES", "BLOODCELL_LEASE",
        "BLOODCELL_SLOTS", "BLOODCELL_STORE", "BLOODCELL_THREADS",
        "PYTHONUNBUFFERED", "TF_CPP_MIN_LOG_LEVEL",
    }  # fmt: skip


def test_a_gpu_is_asked_for_by_its_id():
    (request,) = made(gpu="GPU-5a")["device_requests"]
    assert request["DeviceIDs"] == ["GPU-5a"]
    assert request["Capabilities"] == [["gpu"]]
    assert request["Count"] == 0


def test_limits_reach_the_engine():
    settings = made(memory="12g", shm="2g")
    assert (settings["mem_limit"], settings["memswap_limit"], settings["shm_size"]) == ("12g", "12g", "2g")
    assert settings["nano_cpus"] == 2 * 10**9


def test_the_memory_that_an_experiment_may_take_of_its_gpu_reaches_it():
    assert "BLOODCELL_GPU_MEMORY" not in made(gpus="0", gpu_slots=2)["environment"]
    assert made(gpus="0", gpu_slots=2, gpu_memory=7000)["environment"]["BLOODCELL_GPU_MEMORY"] == "7000"


def test_every_gpu_gets_one_before_any_gets_two():
    assert lease_names(Settings(gpus="0,MIG-GPU-5a/1/2", gpu_slots=2)) == [
        ("0", "bloodcell-gpu-0-slot-0"),
        ("MIG-GPU-5a/1/2", "bloodcell-gpu-MIG-GPU-5a-1-2-slot-0"),
        ("0", "bloodcell-gpu-0-slot-1"),
        ("MIG-GPU-5a/1/2", "bloodcell-gpu-MIG-GPU-5a-1-2-slot-1"),
    ]


def test_on_cpu_no_container_keeps_another_waiting():
    ((gpu, name),) = lease_names(Settings())
    assert gpu is None
    assert lease_names(Settings()) != [(None, name)]


def test_a_store_that_containers_cannot_reach_is_refused():
    with pytest.raises(ConfigError, match=r"store URL is 'file://store', which a container cannot reach"):
        check_reachable(Settings(store="file://store"), {})


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8333", "http://localhost:9000", "http://[::1]:9000"])
def test_an_endpoint_that_means_the_container_itself_is_refused(endpoint):
    inherited = {"AWS_ENDPOINT_URL_S3": endpoint}
    with pytest.raises(ConfigError, match="inside a container is the container itself"):
        check_reachable(Settings(store="s3://bucket"), inherited)
    check_reachable(Settings(store="s3://bucket", network="host"), inherited)
    check_reachable(Settings(store="s3://bucket"), {"AWS_ENDPOINT_URL": "http://10.0.0.5:9000"})
    check_reachable(Settings(store="s3://bucket"), {})


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"])
def test_credentials_in_files_that_containers_do_not_see_are_refused(variable):
    with pytest.raises(ConfigError, match=f"are in files that {variable} names"):
        check_reachable(Settings(store="s3://bucket"), {variable: "me"})
    check_reachable(Settings(store="s3://bucket"), {variable: "me", "AWS_ACCESS_KEY_ID": "id"})
