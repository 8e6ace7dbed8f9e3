"""A short version of `make chaos`: one kill of each kind."""

from tests.chaos.verdict import disturbed_and_calm
from tests.chaos.victims import KINDS


def test_a_grid_that_is_killed_piece_by_piece_ends_as_one_that_was_left_alone(tmp_path):
    told: list[str] = []
    story, wrong = disturbed_and_calm(
        tmp_path, kills=len(KINDS), seed=1, rows=2, deadline_seconds=1200, say=told.append
    )
    assert not wrong, "\n".join(told)
    assert dict(story.kills) == dict.fromkeys(KINDS, 1)
