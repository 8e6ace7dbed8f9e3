"""GPUs are leased by containers' names, on an engine whose hook notes the devices that reach the runtime."""

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import LABEL, OWNER_LABEL
from tests.integration.engine import most_at_once


def noted(engine) -> list[str]:
    """The devices that the hook was handed, a container each."""
    return [json.loads(line)["devices"] for line in engine.notes.read_text().splitlines()]


def run_all(runners, experiments: int) -> dict[str, list[tuple[float, float]]]:
    """Run so many experiments on each runner, all at once; gives when each device was in use, in order."""
    uses = defaultdict(list)

    def run(number: int) -> None:
        lines: list[str] = []
        assert runners[number % len(runners)].run(f"gpu-{number}", "row", print, lines.append).code == 0
        device, began, ended = lines[-1].split()
        uses[device].append((float(began), float(ended)))

    with ThreadPoolExecutor(len(runners) * experiments) as pool:
        list(pool.map(run, range(len(runners) * experiments)))
    return {device: sorted(times) for device, times in uses.items()}


def test_two_grid_runs_at_once_never_share_a_gpu(make_runner, engine):
    before = len(noted(engine))
    uses = run_all([make_runner(gpus="0,1"), make_runner(gpus="0,1")], experiments=3)
    assert sorted(uses) == ["0", "1"]
    assert [most_at_once(times) for times in uses.values()] == [1, 1]
    assert most_at_once([*uses["0"], *uses["1"]]) == 2
    assert sorted(noted(engine)[before:]) == sorted(device for device, times in uses.items() for _ in times)
    assert sum(map(len, uses.values())) == 6


def test_experiments_share_a_gpu_where_the_settings_say_so(make_runner):
    uses = run_all([make_runner(gpus="GPU-5a", gpu_slots=2)], experiments=4)
    assert {device: most_at_once(times) for device, times in uses.items()} == {"GPU-5a": 2}


def test_on_cpu_the_runtime_is_asked_for_no_device(make_runner, engine):
    before = noted(engine)
    assert make_runner().run("talk", "row", print, print).code == 0
    assert noted(engine) == before + ([None] if len(noted(engine)) > len(before) else [])


@pytest.mark.parametrize("state", ["ended, its owner about to remove it", "never started, its owner gone"])
def test_a_container_that_does_not_use_its_gpu_does_not_hold_it(make_runner, engine_client, double, state):
    ended = state.startswith("ended")
    owner = Owner.this_process().model_copy(update={} if ended else {"ticks": 1.0})
    holder = engine_client.containers.create(
        double, ["true"], network="host", name="bloodcell-gpu-0-slot-0",
        labels={LABEL: "k", OWNER_LABEL: owner.model_dump_json()},
    )  # fmt: skip
    if ended:
        holder.start()
        holder.wait()
    assert make_runner(gpus="0").run("talk", "row", print, print).code == 0
    left = engine_client.containers.list(all=True)
    assert [item.id for item in left] == ([holder.id] if ended else [])
    if ended:  # by its id its owner still finds it
        assert engine_client.containers.get(holder.id).wait()["StatusCode"] == 0
        holder.remove()


def test_a_container_that_waits_for_its_start_keeps_its_gpu(make_runner, engine_client, double):
    holder = engine_client.containers.create(
        double, ["true"], network="host", name="bloodcell-gpu-0-slot-0",
        labels={LABEL: "k", OWNER_LABEL: Owner.this_process().model_dump_json()},
    )  # fmt: skip
    runner = make_runner(gpus="0")
    lines = []
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(runner.run, "talk", "basic", print, lines.append)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=3)
        assert lines == ["basic waits for a GPU: all of 0 are in use"]
        holder.remove()
        assert waiting.result(timeout=60).code == 0
