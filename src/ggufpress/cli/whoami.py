"""`ggufpress whoami`."""

from __future__ import annotations

from typing import Any

import click

from ggufpress.cli.output import print_json, shared_options
from ggufpress.cli.source_options import TOKEN_HELP


@click.command("whoami")
@click.option("--token", metavar="TOKEN", help=TOKEN_HELP.removeprefix("Of a source on the Hub: "))
@shared_options
def command(token: str | None, as_json: bool, quiet: bool) -> None:
    """Say whose token is used at the Hub, and to which organizations they belong."""
    # the Hub's library takes long to import: only for those who ask for it
    from ggufpress.hub.account import whoami  # noqa: PLC0415

    found = whoami(token)
    if as_json:
        print_json(found)
    elif quiet:
        click.echo(found["name"])
    else:
        click.echo(account(found))


def account(found: dict[str, Any]) -> str:
    """A line about an account."""
    orgs = f", of {', '.join(found['orgs'])}" if found["orgs"] else ""
    role = f" (a token that may {found['role']})" if found["role"] else ""
    return f"{found['name']}{orgs}{role} at {found['endpoint']}"
