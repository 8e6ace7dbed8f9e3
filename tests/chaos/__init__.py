"""A grid whose every part is killed again and again, and which ends as if nothing had happened.

python -m tests.chaos [--kills 30] [--seed 0]
"""
