"""`python -m bloodcell`: the same as the `bloodcell` command."""

from bloodcell.cli import main

main()
