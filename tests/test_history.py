"""What a night is compared with."""

from datetime import UTC, datetime

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import NightVerdict
from bloodcell.config import GridConfig
from bloodcell.history import earlier_trainings
from bloodcell.report.publishing import publish
from tests.report.conftest import Figures, build, folder_of

GOOD = Figures(dict.fromkeys(("train", "validation", "test"), 0.9))


@pytest.fixture
def night(store, tmp_path):
    """Publishes a night of one training, with its seed; or gives it unpublished."""

    def of(seed: int, *, published: bool = True, verdict: str = "within noise", changes=None, repeat=0, **fields):
        grid = GridConfig(name="g", base={"seed": seed}, experiments={"a": changes or {}})
        example = build(grid, {"a": GOOD})
        for key, result in example.results.items():
            spec = result.spec.model_copy(update={"repeat": repeat})
            ended = datetime(2026, 11, 1 + seed, repeat, tzinfo=UTC)
            repeated = result.model_copy(update={"key": spec.key, "spec": spec, "finished": ended})
            artifacts.write_model(store, artifacts.experiment(spec.key, "result.json"), repeated)
            outcomes = [row.model_copy(update={"key": spec.key}) for row in example.run.rows if row.key == key]
        judged = NightVerdict(row="a", verdict=verdict, change=0, p=1, tonight=1, earlier=1, changed=())
        fields = {
            "nightly": "compare",
            "rows": tuple(outcomes),
            "verdicts": (judged,),
            "run_id": f"2026110{1 + seed}T220000Z",
        } | fields
        run = example.run.model_copy(update=fields)
        if published:
            publish(store, run, folder_of(tmp_path / run.run_id, {}))
        return run

    return of


def seeds(store, run) -> list[int]:
    return [result.spec.config.seed for result in earlier_trainings(store, run)["a"]]


def test_all_nights_before_count_the_oldest_first(store, night):
    for seed in (2, 0, 1):
        night(seed)
    assert seeds(store, night(3, published=False)) == [0, 1, 2]


def test_the_first_night_has_none_before_it(store, night):
    assert seeds(store, night(0, published=False)) == []


@pytest.mark.parametrize(
    "other",
    [{"nightly": None}, {"dataset_version": "e" * 16}, {"verdict": "worse"}, {"changes": {"split": "pooled"}}],
    ids=["by hand", "other images", "worse", "other test"],
)
def test_what_is_no_measure_does_not_count(store, night, other):
    night(0)
    night(1, **other)
    assert seeds(store, night(2, published=False)) == [0]


def test_a_row_whose_settings_changed_is_compared_by_its_name(store, night):
    night(0)
    assert seeds(store, night(1, published=False, changes={"learning_rate": 1.0})) == [0]


def test_a_night_that_restarts_is_the_first_that_counts(store, night):
    for seed in range(3):
        night(seed, nightly="restart" if seed == 1 else "compare")
    assert seeds(store, night(3, published=False)) == [1, 2]
    assert seeds(store, night(3, published=False, nightly="restart")) == []


def test_a_restart_forgets_what_it_reuses_too(store, night):
    for seed in range(3):
        night(seed)
    rows = [night(seed, published=False).rows[0] for seed in range(5)]
    reused = [row.model_copy(update={"status": "reused"}) for row in rows]
    night(3, nightly="restart", rows=(*reused[:3], rows[3]))
    assert seeds(store, night(4, published=False, rows=(*reused[:4], rows[4]))) == [3]


@pytest.mark.parametrize(
    ("verdicts", "counted"),
    [
        ("within, within, better", [0, 1]),  # until the next night bears it out, or does not
        ("within, within, better, within", [0, 1, 2, 3]),
        ("within, within, better, worse", [0, 1, 2]),
        ("within, within, better, better", [2, 3]),
        ("within, within, better, better, within", [2, 3, 4]),
        ("within, within, better, better, better", [2, 3]),
        ("within, within, better, better, better, within", [2, 3, 4, 5]),
        ("within, better, within, better", [0, 1, 2]),
    ],
)
def test_a_row_that_was_better_twice_is_measured_by_what_it_is_since(store, night, verdicts, counted):
    names = {"within": "within noise"}
    told = [names.get(verdict, verdict) for verdict in verdicts.split(", ")]
    for seed, verdict in enumerate(told):
        night(seed, verdict=verdict)
    assert seeds(store, night(len(told), published=False)) == counted


def test_a_doubtful_training_counts_no_more_where_it_is_reused(store, night):
    rows = [night(seed, verdict="better" if seed == 1 else "within noise").rows[0] for seed in range(2)]
    reused = [row.model_copy(update={"status": "reused"}) for row in rows]
    tonight = night(2, published=False)
    assert seeds(store, tonight.model_copy(update={"rows": (*reused, *tonight.rows)})) == [0]


def test_a_row_that_was_trained_by_hand_before_is_measured_by_that_too(store, night):
    by_hand = night(0, nightly=None).rows[0].model_copy(update={"status": "reused"})
    tonight = night(1, published=False)
    assert seeds(store, tonight.model_copy(update={"rows": (by_hand, *tonight.rows)})) == [0]


def test_what_was_trained_elsewhere_with_settings_that_are_new_tonight_is_no_measure(store, night):
    night(0)
    broken = {"learning_rate": 1.0}
    elsewhere = night(1, nightly=None, changes=broken).rows[0].model_copy(update={"status": "reused"})
    tonight = night(2, published=False, changes=broken)
    rows = {"rows": (elsewhere, *tonight.rows)}
    assert seeds(store, tonight.model_copy(update=rows)) == [0]
    night(2, changes=broken, verdict="worse", **rows)
    assert seeds(store, night(3, published=False, changes=broken)) == [0]


def test_of_the_repeats_of_a_training_the_newest_counts(store, night):
    night(0)
    night(1)
    forced = [night(seed, published=False, repeat=repeat).rows[0] for seed, repeat in ((0, 2), (0, 10), (1, 0))]
    reused = [row.model_copy(update={"status": "reused"}) for row in forced]
    tonight = night(2, published=False)
    tonight = tonight.model_copy(update={"rows": (*reused, *tonight.rows)})
    found = earlier_trainings(store, tonight)["a"]
    assert [(result.spec.config.seed, result.spec.repeat) for result in found] == [(0, 10), (1, 0)]


def test_a_repeat_of_what_was_worse_does_not_count_either(store, night):
    night(0)
    night(1, verdict="worse")
    repeated = night(1, published=False, repeat=1).rows[0].model_copy(update={"status": "reused"})
    tonight = night(2, published=False)
    assert seeds(store, tonight.model_copy(update={"rows": (repeated, *tonight.rows)})) == [0]


def test_a_night_that_cannot_be_read_is_left_out(store, night):
    night(0)
    broken = night(1)
    store.write(artifacts.grid_run("g", broken.run_id, "grid.json"), b"{}")
    gone = night(2)
    (store.root / artifacts.experiment(gone.rows[0].key, "result.json")).unlink()
    assert seeds(store, night(3, published=False)) == [0]
