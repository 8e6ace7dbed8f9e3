"""The task `plan`: decide, leave in the store what the experiments need, and log what will run and why."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from bloodcell import artifacts
from bloodcell.artifacts import Nightly
from bloodcell.config import GridConfig
from bloodcell.data.leakage import objection
from bloodcell.store import AT_ONCE, Store
from bloodcell.weights import stage_weights
from tasks.evidence import epochs_over, newest_reports, read_precedents, reasons_to_train, unfinished
from tasks.interrupted import begin
from tasks.plan import Audit, Plan, PlannedRun, kind_of, plan
from tasks.reporting import audit_dataset


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
def plan_grid(
    store: Store,
    grid: GridConfig,
    run_id: str,
    *,
    strict: bool = False,
    force: bool = False,
    nightly: Nightly | None = None,
    audit: Audit = audit_dataset,
) -> Plan:
    """Plan, leave weights and the config.json of each experiment without a result, and log what will run and why.

    A night and a forced run also leave what they set out to train, by which the same command goes on with it; a night
    goes on with a restart as one.
    """
    another_seed = nightly is not None
    planned = plan(store, grid, strict=strict, force=force, another_seed=another_seed, audit=audit)
    to_train = [run for run in planned.runs if not run.done]
    reasons = {}
    if to_train:
        precedents = read_precedents(store, newest_reports(store, grid.name))
        left = unfinished(store, to_train)
        reasons = reasons_to_train(to_train, precedents, left)
        planned = replace(planned, over=epochs_over(left))
    prepare(store, to_train)
    if kind := kind_of(force=force, another_seed=another_seed):
        own = (run.spec.key for run in planned.runs if run.resumed or not run.done)
        begun = begin(store, planned.grid.name, kind, run_id, own, restart=nightly == "restart")
        planned = replace(planned, restart=begun.restart)
    logger = get_run_logger()
    logger.info("%s on %s@%s", grid.name, planned.dataset.name, planned.dataset.version)
    if leakage := objection(planned.leakage, planned.dataset.name):
        logger.warning("%s", leakage)
    if any(run.resumed for run in planned.runs):
        logger.info("going on with the run of this kind that was interrupted, or published no report")
    for run in planned.runs:
        why = f": {'; '.join(reasons[run.spec.key])}" if run.spec.key in reasons else ""
        logger.info("%-10s %s  %s%s", run.action, run.spec.key, run.name, why)
    return planned


def prepare(store: Store, to_train: list[PlannedRun]) -> None:
    """Put into the store what the experiments are given: their weights, then a config.json each."""
    files = {run.spec.config.weights: run for run in to_train}  # rows mostly share one
    for name, run in files.items():
        stage_weights(store, run.row.config.weights, name, run.spec.config.weights_sha256)

    def describe(run: PlannedRun) -> None:
        artifacts.write_model(store, artifacts.experiment(run.spec.key, "config.json"), run.spec)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(describe, to_train):
            pass  # an error is raised here
