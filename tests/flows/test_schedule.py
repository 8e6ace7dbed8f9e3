from datetime import UTC, datetime, timedelta, timezone

import pytest

from flows.schedule import reason_to_skip

TEN = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "late", [timedelta(0), timedelta(hours=7, minutes=59), timedelta(hours=8), -timedelta(hours=1)]
)
def test_a_run_within_its_hours_starts(late):
    assert reason_to_skip(TEN, TEN + late, 8, run_count=1) is None


def test_a_run_that_is_too_late_says_when_it_was_due_and_what_is_allowed():
    reason = reason_to_skip(TEN, TEN + timedelta(hours=9, minutes=5), 8.5, run_count=1)
    assert "Scheduled for 2026-03-01 22:00 UTC" in reason
    assert "9 h 05 min late; 8 h 30 min are allowed" in reason


def test_the_schedules_own_zone_changes_nothing():
    zone = timezone(timedelta(hours=5, minutes=30))
    assert reason_to_skip(TEN.astimezone(zone), TEN + timedelta(hours=8), 8, run_count=1) is None
    assert "2026-03-01 22:00 UTC" in reason_to_skip(TEN.astimezone(zone), TEN + timedelta(hours=9), 8, run_count=1)


def test_without_a_limit_none_is_too_late():
    assert reason_to_skip(TEN, TEN + timedelta(days=30), None, run_count=1) is None


def test_a_run_that_somebody_starts_again_is_wanted():
    assert reason_to_skip(TEN, TEN + timedelta(days=1), 8, run_count=2) is None
