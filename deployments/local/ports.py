"""Ports of this machine."""

import socket

import psutil

from bloodcell.errors import ConfigError

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just left is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int, server: str, option: str) -> None:
    """See that a server could listen on the port.

    Args:
        port: Which.
        server: What would listen there, for the message.
        option: What chooses the port, for the remedy.

    Raises:
        ConfigError: Something else does.
    """
    if not is_free(port):
        raise ConfigError(
            f"port {port}, which the {server} needs, is taken{_by(port)}",
            remedy=f"stop what listens there, or choose another port: {option}",
        )


def _by(port: int) -> str:
    """Who listens there, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # on macOS
        return ""
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        if listens and connection.pid:
            try:
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
            except psutil.NoSuchProcess:
                return ""
    return ""
