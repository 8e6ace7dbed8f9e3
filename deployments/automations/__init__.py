"""Prefect automations of the grid's flow, and the command that puts them on the server."""
