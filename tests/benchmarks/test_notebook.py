from benchmarks.notebook import DROPOUT, ROWS
from bloodcell.grids import load_grid


def test_the_notebook_trains_the_rows_of_the_grid():
    grid = load_grid("mobilenet")
    assert {
        row.name: row.config.model_dump(include={"hidden_layers", "dense_units", "learning_rate"}) for row in grid.rows
    } == ROWS
    assert {row.config.dropout for row in grid.rows} == {DROPOUT}
    assert {row.config.optimizer for row in grid.rows} == {"adam"}
