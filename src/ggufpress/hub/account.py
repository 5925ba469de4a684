"""Whose token is used. Saving and finding it is the library's."""

from __future__ import annotations

from typing import Any

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError

from ggufpress.errors import HubError, UsageError
from ggufpress.hub.refusals import explained
from ggufpress.hub.session import Session


def login(token: str | None) -> None:
    """Save a token, asked for where None is given. Raises HubError for one that the Hub does not accept, UsageError."""
    session = Session(token)
    try:
        huggingface_hub.login(token=token, skip_if_logged_in=False)
    except (ValueError, EOFError) as error:
        if isinstance(error, EOFError):
            raise UsageError("there is no terminal to ask for a token", hint="ggufpress login --token TOKEN") from None
        raise HubError("the Hub does not accept the token", hint="copy it again from the Hub's settings") from None
    except (HfHubHTTPError, OSError) as error:
        raise explained(error, session.asked()) from None


def whoami(token: str | None) -> dict[str, Any]:
    """The name, the organizations and the token's role, as plain data. Raises HubError where nobody is logged in."""
    session = Session(token)
    found = session.call(session.api.whoami, session.asked())
    auth = found.get("auth", {}).get("accessToken", {})
    return {
        "name": found["name"],
        "orgs": [org["name"] for org in found.get("orgs", [])],
        "role": auth.get("role"),
        "endpoint": session.endpoint,
    }
