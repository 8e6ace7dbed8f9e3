"""When a run starts too late to be worth it."""

from datetime import UTC, datetime, timedelta


def reason_to_skip(scheduled: datetime, now: datetime, within_hours: float | None, run_count: int) -> str | None:
    """Why a run that starts now should skip itself; None where it should not.

    A host that was off finds all the nights it missed in its queue, and a night may wait there behind a longer one.

    Args:
        scheduled: When it was to start, with time zone.
        now: When it starts, with time zone.
        within_hours: Hours after `scheduled` within which it may start; None for any.
        run_count: How often it has started, this start included. Again is by hand: somebody wants it.
    """
    if within_hours is None or run_count > 1:
        return None
    limit = timedelta(hours=within_hours)
    late = now - scheduled
    if late <= limit:
        return None
    return (
        f"Scheduled for {scheduled.astimezone(UTC):%Y-%m-%d %H:%M} UTC, this run starts {_shown(late)} late; "
        f"{_shown(limit)} are allowed. The next scheduled run does its work."
    )


def _shown(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"
