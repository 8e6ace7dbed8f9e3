"""What the performance figures in the README and in docs/performance.md come from; `make bench` runs all of it."""
