from __future__ import annotations

import json
from dataclasses import replace

from ggufpress.gguf.values import text
from ggufpress.publish.contents import Existing, all_files, small_files, title_of
from ggufpress.publish.describing import Chat, chat_facts
from ggufpress.publish.facts import CardFacts, Part, PublishedFile, Source
from ggufpress.publish.target import RemoteFile, git_oid
from tests.chat.modelfile_grammar import commands
from tests.chat.templates import CHATML, OWN

NEW = PublishedFile("Q8_0", (Part("m-Q8_0.gguf", 100, "a" * 64),), 8.5)
OLD = PublishedFile("Q4_K_M", (Part("m-Q4_K_M.gguf", 50, "b" * 64),), 4.8, rmse=0.1)
FACTS = CardFacts("ann/m", Source("M"), (NEW,))


def remote(*parts: Part) -> dict[str, RemoteFile]:
    return {part.path: RemoteFile(part.nbytes, "0" * 40, part.sha256) for part in parts}


def chat(template: str | None) -> Chat:
    return chat_facts({"tokenizer.chat_template": text(template)} if template else {})


def test_what_the_manifest_says_counts_for_the_very_files_alone() -> None:
    manifest = {"files": [OLD.to_json(), NEW.to_json()]}
    there = remote(*OLD.parts, *NEW.parts)
    assert all_files([NEW], Existing(there, None, manifest)) == (NEW, OLD)
    changed = {**there, OLD.path: RemoteFile(51, "0" * 40, "c" * 64)}
    (_, other) = all_files([NEW], Existing(changed, None, manifest))
    assert (other.type, other.parts, other.rmse) == ("Q4_K_M", (Part(OLD.path, 51, "c" * 64),), None)
    assert all_files([NEW], Existing(remote(*NEW.parts), None, manifest)) == (NEW,)


def test_files_of_others_are_listed_and_shards_are_one() -> None:
    shards = [Part(f"Q6_K/m-Q6_K-0000{n}-of-00002.gguf", 70, "d" * 64) for n in (1, 2)]
    odd = [Part("mmproj-m.gguf", 5, "e" * 64), Part("notes.txt", 5, "f" * 64)]
    found = all_files([NEW], Existing(remote(*shards, *odd)))
    assert [(file.type, len(file.parts)) for file in found] == [("Q6_K", 2), ("Q8_0", 1)]


def test_known_formats_need_no_template_of_ours() -> None:
    files = small_files(FACTS, chat(CHATML), Existing())
    assert files.keys() == {"README.md", "Modelfile", "ggufpress.json"}
    assert commands(files["Modelfile"].decode())[0] == ("from", "./m-Q8_0.gguf")
    own = small_files(FACTS, chat(OWN), Existing())
    assert own.keys() == {"README.md", "Modelfile", "ggufpress.json", "template", "params"}
    assert dict(commands(own["Modelfile"].decode()))["template"] == own["template"].decode()
    assert json.loads(own["params"])["stop"] == ["@user{{"]
    base = small_files(FACTS, chat(None), Existing())
    assert commands(base["Modelfile"].decode()) == [("from", "./m-Q8_0.gguf")]
    unknown = small_files(FACTS, chat("{{ messages | length }}"), Existing())
    assert "Modelfile" not in unknown


def test_shards_have_no_modelfile() -> None:
    shards = tuple(Part(f"Q6_K/m-Q6_K-0000{n}-of-00002.gguf", 70, "d" * 64) for n in (1, 2))
    assert "Modelfile" not in small_files(
        replace(FACTS, files=(PublishedFile("Q6_K", shards),)), chat(CHATML), Existing()
    )


def test_a_file_of_the_owner_stays_and_one_of_ours_is_renewed() -> None:
    first = small_files(FACTS, chat(OWN), Existing())
    listed = {path: RemoteFile(len(content), git_oid(content), None) for path, content in first.items()}
    manifest = json.loads(first["ggufpress.json"])
    assert small_files(FACTS, chat(OWN), Existing(listed, first["README.md"].decode(), manifest)) == first
    edited = {**listed, "template": RemoteFile(3, git_oid(b"own"), None)}
    again = small_files(FACTS, chat(OWN), Existing(edited, None, manifest))
    assert "template" not in again
    assert "Modelfile" in again
    assert "template" not in json.loads(again["ggufpress.json"])["written"]
    strangers = small_files(FACTS, chat(OWN), Existing(listed, None, {"written": 3}))
    assert strangers.keys() == {"README.md", "ggufpress.json"}
    assert "README.md" not in small_files(FACTS, chat(OWN), Existing(), card=False)


def test_the_title_is_the_same_each_time() -> None:
    assert title_of("M", ["Q8_0", "Q8_0", "F16"]) == "Add Q8_0, F16 of M"
