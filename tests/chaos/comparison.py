"""Whether two stores hold the same results, each whole, and nothing of the way there."""

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult
from bloodcell.store import Store

TIMES = {"seconds": True, "waiting": True}


def results(store: Store) -> dict[str, ExperimentResult]:
    """Every result, by key."""
    names = [name for name in store.list("experiments/") if name.endswith("/result.json")]
    return {name.split("/")[1]: artifacts.read_result(store, name.split("/")[1]) for name in names}


def flaws(store: Store) -> list[str]:
    """What a store should not hold: leases, checkpoints, and other files that no result names, or names otherwise."""
    found = []
    done = results(store)
    named = {artifacts.experiment(key, file) for key, result in done.items() for file in result.files}
    for name in store.list("experiments/"):
        _, key, file = name.split("/", 2)
        if key not in done:
            found.append(f"{name}: its experiment has no result")
        elif file not in ("config.json", "result.json") and name not in named:
            found.append(f"{name}: nobody names it")
    for result in done.values():
        for file in result.files:
            artifacts.read_file(store, result, file)  # raises where the bytes are others
    return found


def differences(ours: ExperimentResult, theirs: ExperimentResult) -> list[str]:
    """In what two results of one experiment differ that decides anything: all but times, paths and dates."""
    found = [
        field
        for field in ("metrics", "labels", "kept_epoch", "parameters", "sources_known")
        if getattr(ours, field) != getattr(theirs, field)
    ]
    histories = [[record.model_dump(exclude=TIMES) for record in result.history] for result in (ours, theirs)]
    if histories[0] != histories[1]:
        found.append("history")
    if ours.files["predictions.parquet"] != theirs.files["predictions.parquet"]:
        found.append("predictions, to the bit")
    return found
