"""Play the story, and say what is wrong in the end."""

import random
from collections.abc import Callable
from pathlib import Path

import boto3

from bloodcell.store.s3 import S3Store
from deployments.local.configuration import BUCKET, Configuration
from tests.chaos import calm
from tests.chaos.comparison import differences, flaws, results
from tests.chaos.story import Chaos, Story


def disturbed_and_calm(
    folder: Path, *, kills: int, seed: int, rows: int, deadline_seconds: float, say: Callable[[str], None]
) -> tuple[Story, list[str]]:
    """Run a grid under kills, run it without, and compare.

    Args:
        folder: For all of it; new.
        kills: Processes to kill.
        seed: Decides which, and when.
        rows: Of the grid.
        deadline_seconds: After which the disturbed grid is given up.
        say: Told what happens.

    Returns:
        What happened, and what is wrong: nothing, or why the promise does not hold.
    """
    chaos = Chaos(folder, random.randrange(20_000, 30_000, 10), seed=seed, rows=rows, say=say)
    try:
        story, own = chaos.play(kills, deadline_seconds)
        wrong = [f"still runs: {process}" for process in chaos.leftovers()]
        say("the same grid, undisturbed")
        calm.run(chaos.grid, story.seeds, f"s3://{BUCKET}/calm", own.variables, folder / "calm")
        ours, theirs = (_store(own, prefix) for prefix in ("", "calm"))
        wrong += flaws(ours)
        had, wanted = results(ours), results(theirs)
        wrong += [f"{key}: no result" for key in wanted if key not in had]
        for key in wanted.keys() & had.keys():
            wrong += [f"{key}: {what}" for what in differences(had[key], wanted[key])]
    finally:
        chaos.down()
    return story, wrong


def _store(own: Configuration, prefix: str) -> S3Store:
    session = boto3.session.Session(own.access_key, own.secret_key, region_name="us-east-1")
    return S3Store(BUCKET, prefix, session.client("s3", endpoint_url=own.variables["AWS_ENDPOINT_URL"]))
