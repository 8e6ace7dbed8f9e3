"""The templates of work pools are complete in themselves, and a real Prefect server takes them."""

import json
from uuid import uuid4

import pytest
from prefect.utilities.templating import find_placeholders

from tests.integration.pool.conftest import POOLS

TEMPLATES = sorted(POOLS.glob("*.json"))


def read(path) -> dict:
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_each_variable_is_used_and_each_that_is_used_is_described(path):
    template = read(path)
    used = {placeholder.name for placeholder in find_placeholders(template["job_configuration"])}
    variables = template["variables"]["properties"]
    assert used | {"env"} == set(variables)  # Prefect adds `env` to the configuration's own
    assert all(variable["description"].endswith(".") for variable in variables.values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_server_takes_it(prefect, path):
    name = f"{path.stem}-{uuid4().hex[:6]}"
    prefect.run("work-pool", "create", name, "--type", path.stem, "--base-job-template", str(path))
    with prefect.client() as client:
        assert client.read_work_pool(name).base_job_template == read(path)
