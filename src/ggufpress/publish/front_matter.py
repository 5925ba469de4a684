"""The card of a repository, updated: keys that it lacks, and the part between our marks. What its owner wrote stays.

Only lines are added or, in a list of tags, completed: comments, order and style of the front matter are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from ggufpress.errors import OutputError

BEGIN = "<!-- ggufpress:begin, what follows is written by ggufpress -->"
END = "<!-- ggufpress:end -->"
FENCE = "---"
_BEGIN = re.compile(r"<!-- ggufpress:begin\b[^>]*-->")
_TAGS_LINE = re.compile(r"tags:[ \t]*(?P<flow>\[.*\])?[ \t]*(#.*)?")


def updated_card(existing: str | None, block: str, keys: Mapping[str, Any]) -> str:
    """README.md with `block` in its place and the front matter completed by `keys`.

    Raises OutputError where the front matter is not YAML, or only one of our marks is there.
    """
    text = (existing or "").replace("\r\n", "\n")
    head, body = _divided(text)
    ours = f"{BEGIN}\n{block.strip()}\n{END}\n"
    return f"{FENCE}\n{_completed(head, keys)}{FENCE}\n{_placed(body, ours)}"


def _divided(text: str) -> tuple[str, str]:
    """The lines between the fences, and what follows them."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        return "", text
    ends = [number for number, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE]
    if not ends:
        return "", text
    return "".join(f"{line}\n" for line in lines[1 : ends[0]]), "\n".join(lines[ends[0] + 1 :])


def _placed(body: str, block: str) -> str:
    begin, end = _BEGIN.search(body), body.rfind(END)
    if begin is None and end < 0:
        own = body.rstrip()
        return f"{own}\n\n{block}" if own.strip() else f"\n{block}"
    if begin is None or end < begin.start():
        raise OutputError(
            "README.md of the repository holds one of the marks between which ggufpress writes, and not the other",
            hint=f"remove the mark, or put {END} where the part that ggufpress may replace ends",
        )
    return body[: begin.start()] + block + body[end + len(END) :].removeprefix("\n")


def _completed(head: str, keys: Mapping[str, Any]) -> str:
    try:
        stated = yaml.safe_load(head)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise OutputError(
            "README.md of the repository has front matter that is not YAML",
            hint="correct it on the Hub, or push with --no-card",
        ) from error
    if stated is None:
        stated = {}
    if not isinstance(stated, dict):
        raise OutputError("README.md of the repository has front matter that is no mapping", hint="push with --no-card")
    missing = {key: value for key, value in keys.items() if value not in (None, "", [], ()) and key not in stated}
    if "tags" in stated and "tags" in keys:
        head = _with_tags(head, stated["tags"], [tag for tag in keys["tags"] if tag in ("gguf",)])
    return head + (_as_yaml(missing) if missing else "")


def _with_tags(head: str, stated: Any, wanted: list[str]) -> str:
    """The front matter with tags added to the owner's list, where it can be done line by line."""
    missing = [tag for tag in wanted if not (isinstance(stated, list) and tag in stated)]
    lines = head.splitlines(keepends=True)
    at = next((number for number, line in enumerate(lines) if _TAGS_LINE.fullmatch(line.rstrip())), None)
    if not missing or at is None or not (isinstance(stated, list) or stated is None):
        return head
    flow = _TAGS_LINE.fullmatch(lines[at].rstrip())
    if flow and flow["flow"]:
        inner = flow["flow"][1:-1].strip()
        lines[at] = f"tags: [{', '.join([*([inner] if inner else []), *missing])}]\n"
        return "".join(lines)
    items = [number for number in range(at + 1, len(lines)) if re.match(r"[ \t]*- ", lines[number])]
    indent = re.match(r"[ \t]*", lines[items[0]])[0] if items and items[0] == at + 1 else ""  # type: ignore[index]
    lines[at + 1 : at + 1] = [f"{indent}- {tag}\n" for tag in missing]
    return "".join(lines)


def _as_yaml(keys: Mapping[str, Any]) -> str:
    # a list of languages holds "no", which is Norwegian: the dumper quotes it
    return yaml.safe_dump(dict(keys), sort_keys=False, allow_unicode=True, width=1000)
