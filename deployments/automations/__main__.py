"""Put the automations of this folder on the Prefect server, or bring those there up to date.

python -m deployments.automations --block slack-webhook/nights
"""

from collections.abc import Iterator
from importlib import resources

import click
import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from ruamel.yaml import YAML

from bloodcell.errors import ConfigError


def automations(block_document_id: str) -> Iterator[AutomationCore]:
    """The automations of this folder.

    Args:
        block_document_id: Of the block that notifications go through.
    """
    for file in resources.files("deployments.automations").iterdir():
        if file.name.endswith(".yaml"):
            value = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
            for action in value["actions"]:
                if action["type"] == "send-notification":
                    action["block_document_id"] = block_document_id
            yield AutomationCore.model_validate(value)


def block_id(client: SyncPrefectClient, block: str) -> str:
    """The id that the server has given a block.

    Args:
        client: Of the server.
        block: `<type>/<name>`, as `prefect block ls` shows it.

    Raises:
        ConfigError: There is no such block.
    """
    kind, _, name = block.partition("/")
    try:
        return str(client.read_block_document_by_name(name, kind, include_secrets=False).id)
    except ObjectNotFound as error:
        raise ConfigError(
            f"notification block is {block!r}; the server has no such block, see `prefect block ls`",
            remedy=f"create it with `prefect block create {kind}`",
        ) from error


def publish(client: SyncPrefectClient, automation: AutomationCore) -> None:
    """Create an automation, or update the one with its name."""
    existing = client.read_automations_by_name(automation.name)
    if existing:
        client.update_automation(existing[0].id, automation)
    else:
        client.create_automation(automation)


@click.command()
@click.option("--block", required=True, help="Block to notify through, as `prefect block ls` shows it: <type>/<name>.")
def main(block: str) -> None:
    """Create the automations that tell of failed, late and lost grid runs, or bring them up to date."""
    if PREFECT_API_URL.value() is None:  # a temporary server would take them, and forget them
        raise click.ClickException(
            "PREFECT_API_URL is not set\n  Remedy: set it to your server's, http://<host>:4200/api"
        )
    try:
        with get_client(sync_client=True) as client:
            document = block_id(client, block)
            for automation in automations(document):
                publish(client, automation)
                click.echo(f"automation: {automation.name}")
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except httpx.TransportError as error:
        raise click.ClickException(
            f"no Prefect server answers at {PREFECT_API_URL.value()}: {error}\n"
            "  Remedy: start it, or correct PREFECT_API_URL"
        ) from error


if __name__ == "__main__":
    main()
