"""What is in the image, what is not, and that experiment and orchestrator run in it as the runner starts them."""

import mmap
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.types import Mount

import bloodcell
from bloodcell import artifacts
from bloodcell.provenance import code_version, git_commit
from tests.integration.image import building
from tests.integration.orchestration import prefect_server

PLANTED = b"planted-3f9c2b71e0d84a56"
"""Stands in every file that must not get into an image."""

SHIPPED = ("bloodcell", "tasks", "flows", "deployments")


@pytest.fixture(scope="session")
def planted(tmp_path_factory) -> Path:
    """A copy of what the image is made from, with files beside it that must stay out."""
    root: Path = tmp_path_factory.mktemp("checkout")
    for name in SHIPPED:
        shutil.copytree(building.ROOT / name, root / name)
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(building.ROOT / name, root)
    for path in building.ROOT.glob("requirements-*.txt"):
        shutil.copy(path, root)
    for name in (
        ".env", ".git/config", ".venv/pyvenv.cfg", "data/blood-cells.zip", "store/experiments/0/result.json",
        "cache/images", "docs/notes.md", "tests/test_x.py", "id_rsa", "deployments/.env", "bloodcell/grids/.env",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PLANTED)
    return root


@pytest.fixture
def saved(engine, base_image, client, planted, tmp_path) -> Iterator[Path]:
    """An image of that copy with every layer, as a tar archive."""
    tag = building.build_image(engine.url, base_image, "bloodcell-test:planted", context=planted)
    path = tmp_path / "image.tar"
    with path.open("wb") as file:
        file.writelines(client.images.get(tag).save(chunk_size=2**24))
    yield path
    path.unlink()  # 2 GB, which pytest would keep for three runs


def names_in(archive: Path) -> set[str]:
    """Paths in all layers of a saved image."""
    names = set()
    with tarfile.open(archive) as image:
        for member in image:
            if member.isfile() and (layer := image.extractfile(member)) and not member.name.endswith(".json"):
                try:
                    with tarfile.open(fileobj=layer) as inside:
                        names |= set(inside.getnames())
                except tarfile.ReadError:  # the version file beside a layer
                    continue
    return names


@pytest.mark.parametrize("buildkit", [False, pytest.param(True, marks=pytest.mark.long)], ids=["legacy", "BuildKit"])
def test_either_builder_makes_it_and_a_change_of_code_leaves_the_dependencies(
    engine, base_image, client, planted, buildkit
):
    def layers() -> list[str]:
        tag = building.build_image(
            engine.url, base_image, f"bloodcell-test:{buildkit}", context=planted, buildkit=buildkit
        )
        found: list[str] = client.images.get(tag).attrs["RootFS"]["Layers"]
        return found

    try:
        before = layers()
        with (planted / "flows" / "grid.py").open("a") as file:
            file.write(f"\n# changed for {buildkit}\n")
        after = layers()
    except building.NotPossibleError as reason:
        pytest.skip(str(reason))
    below_code = len(client.images.get(base_image).attrs["RootFS"]["Layers"]) + 2  # the user, the dependencies
    assert before[:below_code] == after[:below_code]
    assert before != after


def test_no_secret_no_data_no_history_and_no_tools_are_in_any_layer(saved):
    with saved.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert content.find(b"class ExperimentConfig") > 0  # the search would see it
        assert content.find(PLANTED) == -1
    names = names_in(saved)
    assert "opt/bloodcell/bin/bloodcell" in names
    assert not [
        name for name in names if re.search(r"(^|/)(\.git|\.env|\.dockerignore|id_rsa)(/|$)|^app/(docs|tests)", name)
    ]
    assert not [
        name for name in names if name.startswith("opt/bloodcell") and re.search(r"/pip(-[\d.]+\.dist-info)?/", name)
    ]
    assert not [name for name in names if name.startswith(("build/", "opt/pip/", "project/"))]


def test_labels_name_version_and_commit(client, image, run):
    labels = client.images.get(image).labels
    assert labels["org.opencontainers.image.version"] == bloodcell.__version__
    assert labels["org.opencontainers.image.revision"] == git_commit()
    program = "from bloodcell.provenance import *; print(code_version(), git_commit())"
    assert run("python", "-c", program) == (0, f"{code_version()} {git_commit()}\n")


def test_the_user_is_not_root_and_has_no_tools(client, image, run):
    assert client.images.get(image).attrs["Config"]["User"] == "10001:10001"
    code, said = run(
        "sh", "-c", "id -u; for tool in pip pip3 gcc cc make git; do command -v $tool; done; python -m pip"
    )
    assert (code, said) == (1, "10001\n/opt/bloodcell/bin/python: No module named pip\n")


def test_the_doctor_is_content_under_the_runners_restrictions(run):
    code, said = run("bloodcell", "doctor")
    assert code == 0, said
    assert re.search(r"^ok +computing +a product of matrices is right on CPU", said, re.MULTILINE)
    assert re.search(r"^ok +kernel +", said, re.MULTILINE)


def test_the_doctor_sees_the_containers_memory_and_a_cache_that_cannot_be_written(run):
    code, said = run("bloodcell", "doctor", mem_limit="3g", mounts=[])
    assert code == 78
    assert "of which 3.0 may be used here" in said
    assert re.search(r"^FAIL +cache +no permission for a file in /cache: Read-only file system", said, re.MULTILINE)


def test_packages_are_importable_from_anywhere(run):
    program = "import bloodcell, tasks, flows, deployments; print(*(m.__file__ for m in (bloodcell, deployments)))"
    code, said = run("python", "-c", program, working_dir="/")
    assert code == 0, said
    assert all(path.startswith("/opt/bloodcell/") for path in said.split())


def test_an_experiment_trains_in_it(run, store, spec):
    for path in (store.root, *store.root.rglob("*")):
        path.chmod(0o777)
    code, said = run(
        "bloodcell", "run", "--key", spec.key,
        environment={"BLOODCELL_STORE": "file:///store", "BLOODCELL_THREADS": "2"},
        mounts=[Mount("/store", str(store.root), type="bind"), Mount("/cache", None, type="volume")],
    )  # fmt: skip
    assert code == 0, said
    result = artifacts.read_result(store, spec.key)
    assert result.environment["git_commit"] == git_commit()
    assert len(result.history) == spec.config.epochs


def test_a_grid_is_checked_in_it(run):
    assert run("python", "-m", "flows.grid", "--grid", "demo", "--check") == (0, "synthetic\n")


def test_a_worker_in_it_deploys_and_runs_the_flow(run, tmp_path):
    """The grid fails, as the store is empty: so the flow ran."""
    with prefect_server(tmp_path) as server:
        reach = {
            "network": "host",
            "environment": {"PREFECT_API_URL": server.api, "BLOODCELL_STORE": "file:///tmp/store"},
        }
        server.run("work-pool", "create", "grids", "--type", "process")
        deploy = ("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        code, said = run(*deploy, **reach)
        assert code == 0, said
        server.run("deployment", "run", "grid/blood-cell")
        code, said = run("prefect", "worker", "start", "--pool", "grids", "--run-once", **reach)
        assert code == 0, said
        assert "dataset is 'blood-cells'; file:///tmp/store holds none" in " ".join(said.split())


def test_which_tensorflow_is_a_build_argument(engine, base_image, planted):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        building.build_image(
            engine.url, base_image, "bloodcell-test:none", context=planted, flags=("--build-arg", "EXTRA=none")
        )
    assert "requirements-none.txt" in refused.value.output


def test_every_package_of_the_gpu_image_is_a_wheel_for_linux(tmp_path):
    """The image itself is too large to build here; its lock file is resolved, hashes and all, without a download."""
    command = [
        sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--require-hashes", "--no-build",
        "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28", "--target", str(tmp_path),
        "--requirements", str(building.ROOT / "requirements-gpu.txt"),
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "nvidia-cudnn" in said
    assert re.search(r"tensorflow==", said)
