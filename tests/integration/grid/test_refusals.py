"""What is wrong outside the grid gives one message, in the flow run's state, with the remedy."""

import pytest

from flows.grid import grid as grid_flow


@pytest.fixture
def refused(prefect, host_settings, grid_file):
    """Runs a grid of two and returns the message of its state."""

    def run(**environment: str) -> str:
        state = grid_flow(grid=grid_file(a={}, b={"seed": 1}), return_state=True)
        assert state.is_failed()
        return host_settings.message_of(state)

    return run
