"""The small files of a repository: card, manifest, what Ollama reads. Pure: from facts and from what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import groupby
from typing import Any

from ggufpress.chat.ollama import go_template, modelfile, params
from ggufpress.publish.card import MANIFEST, card_text, front_matter
from ggufpress.publish.describing import Chat
from ggufpress.publish.facts import CardFacts, Part, PublishedFile, read_files
from ggufpress.publish.front_matter import updated_card
from ggufpress.publish.names import SUFFIX, is_model, shard_of, type_label
from ggufpress.publish.run_commands import preferred
from ggufpress.publish.target import RemoteFile, git_oid

FORMAT = 1
CARD = "README.md"
MODELFILE, TEMPLATE, PARAMS = "Modelfile", "template", "params"


@dataclass(frozen=True)
class Existing:
    """What a repository holds: its files, the text of its card, and the value of its manifest."""

    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    card: str | None = None
    manifest: Any = None


def all_files(new: Sequence[PublishedFile], existing: Existing) -> tuple[PublishedFile, ...]:
    """The models of the repository when `new` are added, largest first: those, those of the manifest, and others.

    What the manifest says counts only as long as the very files are there.
    """
    taken = {part.path for file in new for part in file.parts}
    kept = [
        file
        for file in read_files(existing.manifest)
        if not any(part.path in taken for part in file.parts) and all(_is_there(part, existing) for part in file.parts)
    ]
    taken |= {part.path for file in kept for part in file.parts}
    rest = [path for path in sorted(existing.files) if path.endswith(SUFFIX) and is_model(path) and path not in taken]
    others = [
        PublishedFile(type_label(prefix) or "", tuple(_part(path, existing.files[path]) for path in paths))
        for prefix, group in groupby(rest, key=_prefix)
        if (paths := list(group))
    ]
    return tuple(sorted([*new, *kept, *others], key=lambda file: (-file.nbytes, file.path)))


def _is_there(part: Part, existing: Existing) -> bool:
    found = existing.files.get(part.path)
    return found is not None and found.sha256 == part.sha256


def _prefix(path: str) -> str:
    shard = shard_of(path)
    return f"{shard[0]}{SUFFIX}" if shard else path


def _part(path: str, file: RemoteFile) -> Part:
    return Part(path, file.size, file.sha256 or "")


def small_files(facts: CardFacts, chat: Chat, existing: Existing, *, card: bool = True) -> dict[str, bytes]:
    """By path the small files that belong beside the models. A file of the owner's is left as it is, the card's text too.

    `template` and `params` are for the Hub's Ollama where a format is none of those that it knows by itself.
    Source: huggingface.co/docs/hub/ollama.
    """
    written: dict[str, bytes] = {}
    model = preferred([file for file in facts.files if not shard_of(file.path)])
    go = go_template(chat.format) if chat.format else None
    if model and (chat.format or not chat.prompt.has_template):
        name = model.path.rsplit("/", 1)[-1]
        written[MODELFILE] = modelfile(name, go, chat.stop, chat.sampling).encode()
    if go and chat.format and chat.format.name is None:
        written[TEMPLATE] = go.encode()
        written[PARAMS] = params(chat.stop, chat.sampling).encode()
    ours = _ours(existing)
    written = {path: content for path, content in written.items() if path not in existing.files or path in ours}
    out = dict(written)
    if card:
        keys = front_matter(facts)
        out[CARD] = updated_card(existing.card, card_text(facts), keys).encode()
    out[MANIFEST] = _manifest(facts, written).encode()
    return out


def _ours(existing: Existing) -> set[str]:
    """The small files that an earlier run wrote, and that nobody has changed since."""
    stated = existing.manifest.get("written") if isinstance(existing.manifest, Mapping) else None
    listed = stated if isinstance(stated, Mapping) else {}
    return {path for path, oid in listed.items() if path in existing.files and existing.files[path].oid == oid}


def _manifest(facts: CardFacts, written: Mapping[str, bytes]) -> str:
    source = facts.source
    data = {
        "manifest": FORMAT,
        "ggufpress": version("ggufpress"),
        "source": {"name": source.name, "repo": source.repo, "revision": source.revision, "license": source.license},
        "imatrix": facts.imatrix,
        "files": [file.to_json() for file in facts.files if file.parts[0].sha256],
        "written": {path: git_oid(content) for path, content in written.items()},
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def title_of(name: str, types: Iterable[str]) -> str:
    """What a pull request with these files is called: the same each time."""
    return f"Add {', '.join(dict.fromkeys(types))} of {name}"[:180]
