"""`python -m bloodcell`: the same as the `bloodcell` command."""

import signal

# As a runner's child it is sent a terminal's Ctrl-C too, also while it imports: Python would print a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from bloodcell.cli import main  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)
main()
