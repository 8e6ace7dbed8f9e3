import os
import socket

import pytest

from bloodcell.errors import ConfigError
from deployments.local.ports import HOST, is_free, require_free


def test_a_port_that_is_taken_is_named_with_who_has_it():
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(ConfigError) as refused:
            require_free(port, "Prefect server", "make up PREFECT_PORT=<port>")
    assert f"port {port}, which the Prefect server needs, is taken by " in refused.value.problem
    assert f"process {os.getpid()}" in refused.value.problem
    assert "make up PREFECT_PORT=<port>" in refused.value.remedy
    assert is_free(port)
    require_free(port, "Prefect server", "")
