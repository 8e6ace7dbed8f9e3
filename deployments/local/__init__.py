"""The servers that the flows need, on this machine and without Docker."""
