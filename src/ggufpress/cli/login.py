"""`ggufpress login`."""

from __future__ import annotations

import click

from ggufpress.cli.output import print_json, shared_options
from ggufpress.cli.whoami import account


@click.command("login")
@click.option("--token", metavar="TOKEN", help="Save this token.  [default: ask for one, or log in by browser]")
@shared_options
def command(token: str | None, as_json: bool, quiet: bool) -> None:
    """Save a token of the Hub where its library keeps it, for all programs that use that library.

    The same as `hf auth login`. Tokens are made at https://huggingface.co/settings/tokens: one that may read is enough for
    private and gated sources.

    \b
    ggufpress login
    ggufpress login --token hf_...
    """
    # the Hub's library takes long to import: only for those who ask for it
    from ggufpress.hub.account import login, whoami  # noqa: PLC0415

    login(token)
    found = whoami(token)
    if as_json:
        print_json(found)
    elif not quiet:
        click.echo(account(found))
