"""A short version of `make chaos`: one kill of each kind."""

import json
import subprocess
import sys

import pytest

from tests.chaos.victims import KINDS


@pytest.mark.long
def test_a_grid_that_is_killed_piece_by_piece_ends_as_one_that_was_left_alone():
    # A process of its own: it starts servers that outlive whoever starts them, and never waits for their end.
    options = {"--kills": len(KINDS), "--seed": 1, "--rows": 2, "--deadline": 1200}
    command = [sys.executable, "-m", "tests.chaos", *(str(word) for option in options.items() for word in option)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-6000:]
    assert json.loads(ended.stdout)["kills"] == dict.fromkeys(KINDS, 1)
