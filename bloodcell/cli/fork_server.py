"""`bloodcell fork-server`: what a runner starts once, to have its experiments start faster."""

import shlex
import socket
import sys

import click


@click.command(hidden=True)
@click.option("--requests", "descriptor", type=int, required=True, help="Of the socket on which they come.")
def fork_server(descriptor: int) -> None:
    """Import what experiments need, and fork one at each request."""
    from bloodcell.fork_server import Server
    from bloodcell.keras_import import import_keras
    from bloodcell.lasting import lasting
    from bloodcell.provenance import code_version

    server = Server(socket.socket(fileno=descriptor))
    code_version()  # of what is about to be imported: a file that changes later is not what a fork computes with
    try:
        with lasting():
            import_keras()
            from bloodcell import experiment, throughput  # noqa: F401
    except ImportError:
        pass  # who is forked says what is missing
    arguments = server.serve()
    from setproctitle import setproctitle

    from bloodcell.cli import main

    sys.argv[1:] = arguments
    setproctitle(shlex.join([sys.executable, "-m", "bloodcell", *arguments]))  # as lists of processes would show it

    main()
    sys.exit(0)
