"""How long to wait before a request is made again, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED = (408, 425, 429, 500, 502, 503, 504, 520, 522, 524)
"""Answers after which the same request may succeed. The last three are Cloudflare's own words for 502 and 504."""

_RATE_LIMIT = re.compile(r'"[\w-]+"\s*;\s*r\s*=\s*(\d+)\s*;\s*t\s*=\s*(\d+)')


@dataclass(frozen=True, slots=True)
class Patience:
    """What a failing request may cost. Times are in seconds.

    Pauses in a row without a byte of progress may take `limit` together: `first` after the first failure, twice that after
    the next, at most `longest`. A server that asks to wait is given `asked` in all.
    """

    limit: float
    first: float = 0.5
    longest: float = 30.0
    asked: float = 900.0

    def pause(self, failures: int) -> float:
        """How long to wait after so many failures in a row, from 1."""
        return float(min(self.first * 2 ** (failures - 1), self.longest))


STEADY = Patience(180.0)
"""For a download that has begun."""
BRIEF = Patience(4.0)
"""For questions whose answer a person waits for."""
ONCE = Patience(0.0)
"""For what may as well stay unanswered."""


def asked_pause(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How many seconds the server asks to wait: by RateLimit where nothing is left of it, else by Retry-After; else None.

    Source: huggingface_hub/utils/_http.py, parse_ratelimit_headers; RFC 9110 for Retry-After, in seconds or as a date.
    """
    found = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    if found and found[1] == "0":
        return float(found[2])
    stated = headers.get("retry-after", "").strip()
    if stated.isascii() and stated.isdigit():
        return float(stated[:9])
    try:
        until = parsedate_to_datetime(stated)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
