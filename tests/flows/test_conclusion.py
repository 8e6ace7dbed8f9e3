import pytest

from bloodcell.artifacts import NightVerdict
from bloodcell.config import GridConfig
from flows.conclusion import conclusion, exit_code
from tests.report.conftest import Figures, build, leakage_of

GOOD = Figures({"train": 0.9, "validation": 0.9, "test": 0.9})


def concluded(**outcomes):
    return conclusion(concluded_run(**outcomes), "s3://b/report.html", "Best: b.")


def concluded_run(**outcomes):
    grid = GridConfig(name="g", experiments={name: {"epochs": epochs} for epochs, name in enumerate(outcomes, start=1)})
    return build(grid, outcomes).run


def test_a_run_without_failures_names_its_result_and_its_report():
    state = concluded(a=GOOD, b=GOOD)
    assert state.is_completed()
    assert state.message == "Best: b.\nreport: s3://b/report.html"


def test_each_reason_is_given_once_and_reads_well_on_the_one_line_that_the_ui_makes_of_it():
    state = concluded(
        a="the bucket is gone. Remedy: create it", b=GOOD, c="the bucket is gone. Remedy: create it", d="x."
    )
    assert state.is_failed()
    assert " ".join(state.message.split()) == (
        "3 of 4 experiments failed. a, c: the bucket is gone. Remedy: create it. d: x. Best: b. Report: s3://b/report.html"
    )


@pytest.mark.parametrize("outcomes", [{"a": GOOD}, {"a": GOOD, "b": "x"}])
def test_leakage_is_in_the_state_however_the_run_ended(outcomes):
    grid = GridConfig(
        name="g", base={"split": "pooled"}, experiments={name: {"epochs": ord(name)} for name in outcomes}
    )
    audit = leakage_of(grid.rows[0].config, test=2499, validation=2000)
    message = conclusion(build(grid, outcomes, leakage=(audit,)).run, "s3://b/report.html", "Best: b.").message
    *_, leakage, result, report = message.splitlines()
    assert result == "Best: b."
    assert leakage.startswith("Leakage: 2,499 of 2,500 test images with split pooled have a sibling (")
    assert report.endswith(": s3://b/report.html")


@pytest.mark.parametrize(
    ("rows", "named"),
    [(9, "r0, r1, r2, r3, r4, r5, r6, r7, r8: "), (10, "r0, r1, r2, r3, r4, r5, r6, r7 and 2 more: ")],
)
def test_of_many_rows_with_one_reason_some_are_named(rows, named):
    state = concluded(**{f"r{number}": "x" for number in range(rows)})
    assert f"\n{named}x.\n" in state.message


def test_a_night_that_is_worse_fails_and_says_by_how_much():
    run = concluded_run(a=GOOD, b=GOOD)
    verdicts = tuple(
        NightVerdict(row=row, verdict=verdict, change=change, p=0.01, tonight=1, earlier=5, changed=changed)
        for row, verdict, change, changed in (
            ("a", "better", 0.1, ()), ("b", "worse", -0.2, ("learning_rate",)),
        )
    )  # fmt: skip
    night = run.model_copy(update={"verdicts": verdicts})
    state = conclusion(night, "s3://b/report.html", "Best: b.")
    assert state.is_failed()
    assert state.message == (
        "Worse than the nights before: b by \N{MINUS SIGN}20.00 points (changed: learning rate).\n"
        "Best: b.\nReport: s3://b/report.html"
    )
    assert (exit_code(night), exit_code(run)) == (1, 0)


def test_a_training_that_failed_is_named_with_its_seed():
    grid = GridConfig(name="g", seeds=2, experiments={"a": {}})
    state = conclusion(build(grid, {"a": [GOOD, "no memory"]}).run, "s3://b/report.html", "Best: b.")
    assert "1 of 2 experiments failed.\na seed 1: no memory." in state.message
