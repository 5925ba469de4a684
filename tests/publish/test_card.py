from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from ggufpress.publish.card import card_text, front_matter
from ggufpress.publish.facts import CardFacts, Made, Part, Prompt, PublishedFile, Source, read_files
from ggufpress.publish.front_matter import END, updated_card
from ggufpress.publish.run_commands import preferred, three_commands


def file(type_name: str, nbytes: int, **more: Any) -> PublishedFile:
    part = Part(f"m-{type_name}.gguf", nbytes, type_name.lower().ljust(64, "0"))
    return replace(PublishedFile(type_name, (part,), 4.5, 1_100_000_000), **more)


SHARDS = PublishedFile("Q6_K", tuple(Part(f"Q6_K/m-Q6_K-0000{n}-of-00002.gguf", 5 * 10**9, "a" * 64) for n in (1, 2)))
FACTS = CardFacts(
    "ann/m-GGUF",
    Source(
        "M",
        "org/m",
        "abc123",
        "other",
        "llama3",
        "https://e.x/licence",
        ("en",),
        ("chat", "bad tag\n"),
        "text-generation",
    ),
    (file("Q8_0", 1_170_000_000, rmse=0.000123), file("Q4_K_M", 668_000_000, kld=0.0123), SHARDS),
    "llama",
    1_100_000_000,
    2048,
    Prompt(True, "ChatML", "<|im_start|>user\n{prompt}"),
)


def test_the_front_matter_says_what_the_hub_asks_for() -> None:
    assert front_matter(FACTS) == {
        "base_model": "org/m",
        "base_model_relation": "quantized",
        "license": "other",
        "license_name": "llama3",
        "license_link": "https://e.x/licence",
        "language": ["en"],
        "library_name": "gguf",
        "pipeline_tag": "text-generation",
        "quantized_by": "ann",
        "tags": ["gguf", "conversational", "chat"],
    }
    unknown = replace(FACTS, source=Source("M"), prompt=Prompt(), imatrix="imatrix.gguf")
    stated = yaml.safe_load(updated_card(None, "x", front_matter(unknown)).split("---\n")[1])
    assert stated == {"library_name": "gguf", "quantized_by": "ann", "tags": ["gguf", "imatrix"]}


def test_the_text_lists_files_hashes_commands_and_how_it_was_made() -> None:
    made = (Made("ggufpress quantize org/m -q Q8_0", "0.1.0", "abc123"),) * 2
    files = tuple(replace(one, made=how) for one, how in zip(FACTS.files, (*made, None), strict=True))
    text = card_text(replace(FACTS, files=files, imatrix="m-imatrix.gguf", private=True))
    assert (
        "| [m-Q8_0.gguf](m-Q8_0.gguf) | Q8_0 | 1.17 GB | 4.50 |  | 0.000123 | `q8_000000000` | as good as the" in text
    )
    assert "| 668 MB | 4.50 | 0.0123 |  |" in text
    assert f"{'q8_0'.ljust(64, '0')}  m-Q8_0.gguf" in text
    assert "and 1 more | Q6_K | 10.0 GB |" in text
    assert "llama-cli -hf ann/m-GGUF:Q4_K_M" in text
    assert 'filename="m-Q4_K_M.gguf"' in text
    assert "ollama run hf.co/ann/m-GGUF:Q4_K_M" in text
    assert "put `Q8_0`, `Q6_K` in its place" in text
    assert "## Prompt format (ChatML)" in text
    assert text.count("ggufpress quantize org/m -q Q8_0") == 1
    assert "ggufpress 0.1.0, from org/m at revision `abc123`" in text
    assert "[m-imatrix.gguf](m-imatrix.gguf)" in text
    assert "HF_TOKEN" in text
    assert "**llama3**, [its text](https://e.x/licence)" in text


def test_what_is_not_known_is_not_said() -> None:
    text = card_text(CardFacts("a/b", Source("M"), ()))
    assert "##" in text
    assert "None" not in text
    assert "RMSE" not in card_text(replace(FACTS, files=(file("F16", 10),)))


def test_names_that_are_markup_stay_text() -> None:
    evil = f"[x](javascript:1) `a` <script> {END}\n# Title | y"
    text = card_text(
        replace(FACTS, source=replace(FACTS.source, name=evil, repo=None, license_link="javascript:alert(1)"))
    )
    assert END not in text
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "javascript:alert" not in text
    assert "\n# Title" not in text
    fenced = card_text(replace(FACTS, prompt=Prompt(True, None, "````\nhello")))
    assert "`````\n````\nhello\n`````" in fenced


def test_the_three_commands() -> None:
    paths = FACTS.paths
    assert dict(three_commands("ann/m-GGUF", FACTS.files, paths)) == {
        "llama.cpp": "llama-cli -hf ann/m-GGUF:Q4_K_M",
        "llama-cpp-python": (
            "python -c 'from llama_cpp import Llama; "
            'llm = Llama.from_pretrained(repo_id="ann/m-GGUF", filename="m-Q4_K_M.gguf"); '
            'print(llm("Hello")["choices"][0]["text"])\''
        ),
        "Ollama": "ollama run hf.co/ann/m-GGUF:Q4_K_M",
    }
    split = dict(three_commands("ann/m-GGUF", [SHARDS], [part.path for part in SHARDS.parts]))
    assert split.keys() == {"llama.cpp", "llama-cpp-python"}
    assert 'additional_files=["Q6_K/m-Q6_K-00002-of-00002.gguf"]' in split["llama-cpp-python"]
    both = [file("BF16", 2), file("F16", 2)]
    named = dict(three_commands("a/b", both[1:], [one.path for one in both]))
    assert named["llama.cpp"] == "llama-cli --hf-repo a/b --hf-file m-F16.gguf"
    assert named["Ollama"] == "ollama run hf.co/a/b:m-F16.gguf"
    assert preferred([]) is None


def test_a_manifest_gives_back_the_files_and_nothing_that_is_broken() -> None:
    good = [one.to_json() for one in FACTS.files]
    assert read_files({"files": good}) == FACTS.files
    broken = [None, {}, {"type": "Q8_0"}, {"type": "Q8_0", "parts": [{"path": 1}]}, {"type": 3, "parts": []}, "text"]
    assert read_files({"files": [*broken, good[0]]}) == FACTS.files[:1]
    assert read_files([1]) == read_files(None) == read_files({"files": 7}) == ()
