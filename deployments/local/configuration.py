"""What a stack's servers agree on: chosen at its first start, and kept in its folder."""

import json
import secrets
import shlex
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from bloodcell.errors import ConfigError
from bloodcell.values import Frozen, validated

CHECKOUT = Path(__file__).resolve().parents[2]

BUCKET = "bloodcell"

# The rest of a user's own would set this stack's servers and commands on another server or bucket.
_KEPT = ("PREFECT_LOGGING_", "PREFECT_SERVER_DATABASE_")
_FOREIGN = ("PREFECT_", "AWS_")


class Configuration(Frozen):
    """Ports and keys of a stack."""

    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the Prefect server and its UI.")
    s3_port: int = Field(
        8333, ge=1, le=55531, description="Port of the S3 server, which takes the next four and those 10,000 above too."
    )
    access_key: str = Field(default_factory=lambda: secrets.token_hex(10), description="AWS_ACCESS_KEY_ID.")
    secret_key: str = Field(default_factory=lambda: secrets.token_hex(20), description="AWS_SECRET_ACCESS_KEY.")

    @property
    def ui(self) -> str:
        """Address of the Prefect UI."""
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def api(self) -> str:
        """PREFECT_API_URL."""
        return f"{self.ui}/api"

    @property
    def variables(self) -> dict[str, str]:
        """What a command needs in its environment to use the stack."""
        return {
            "PREFECT_API_URL": self.api,
            "BLOODCELL_STORE": f"s3://{BUCKET}",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.s3_port}",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }


def read(folder: Path) -> Configuration | None:
    """The configuration of the stack in a folder; None before its first start.

    Raises:
        ConfigError: The file was changed to what is not accepted.
    """
    path = folder / "stack.json"
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}", remedy=f"correct it, or remove {folder}") from error
    return validated(Configuration, value, source=str(path))


def write(folder: Path, configuration: Configuration) -> None:
    """Keep the configuration, and as `env` what a shell reads with `source`. Only this user may read either."""
    for name, text in {
        "stack.json": configuration.model_dump_json(indent=2) + "\n",
        "env": shell_lines(configuration.variables),
    }.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def shell_lines(variables: Mapping[str, str]) -> str:
    """Lines that set up a shell: the project's commands, and the stack that they use."""
    commands = shlex.quote(sysconfig.get_path("scripts"))
    return "\n".join(
        [
            "# For a shell: source .local/env",
            f'export PATH={commands}:"$PATH"',
            "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_S3",
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
            "",
        ]
    )


def server_environment(folder: Path, configuration: Configuration, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of the stack's servers, and of the flow runs that its worker starts.

    Args:
        folder: The stack's.
        configuration: The stack's.
        inherited: Variables to start from; of those, BLOODCELL_ settings such as the runner and its slots take effect.
    """
    own = {name: value for name, value in inherited.items() if name.startswith(_KEPT) or not name.startswith(_FOREIGN)}
    return (
        own
        | configuration.variables
        | {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "60",  # seconds; the automation `lost run` listens for them
            # Kept in memory, the slot of a running night is lost when the server restarts, and the night with it.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        }
    )
