"""Prefect tasks: each logs, makes one call, and returns what the flow needs."""
