"""The flow `grid`, and its command `python -m flows.grid`, which loads Prefect only where something is to run."""
