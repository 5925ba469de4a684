"""Quantize and push: what overlaps, what is split, what is not done twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import ggufpress
from ggufpress.cli.quantize_and_push import split_for_the_hub
from ggufpress.errors import OutputError, UsageError
from ggufpress.execute.run import Report, execute
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.planning import Plan
from ggufpress.publish.describing import local_models, source_facts
from ggufpress.publish.journal import NAME, Journal, fingerprint
from ggufpress.publish.making import check_names, make_and_push, paths_of
from ggufpress.publish.publication import About, Publication
from ggufpress.publish.splitting import split_where_needed
from ggufpress.publish.target import Target
from tests.publish.conftest import REPO, World
from tests.tiny_checkpoints import BARD


@pytest.fixture
def publication(world: World) -> Iterator[Publication]:
    metadata = ggufpress.plan(BARD, ["Q8_0"]).outputs[0].metadata
    about = About(source_facts(metadata, "bard"), metadata)
    with Publication(world.session(), Target(REPO), about, ["Q8_0"]) as opened:
        yield opened


def test_a_finished_file_is_sent_while_the_next_is_made(world: World, publication: Publication, tmp_path: Path) -> None:
    plan = ggufpress.plan(BARD, ["Q8_0", "Q4_0", "Q6_K"], output=tmp_path / "out")
    seen: list[int] = []

    def make(part: Plan, force: bool) -> Report:
        if seen:
            end = time.monotonic() + 20
            while len(world.hub.requests("cdn PUT")) == seen[-1]:
                assert time.monotonic() < end, "nothing was sent while the next file was waited for"
                time.sleep(0.01)
        seen.append(len(world.hub.requests("cdn PUT")))
        return execute(part, force=force)

    outcome, made = make_and_push(plan, publication, make)
    assert len(seen) == 3
    assert [path.name for path in made] == ["bard-4m-Q8_0.gguf", "bard-4m-Q4_0.gguf", "bard-4m-Q6_K.gguf"]
    assert {file.type for file in outcome.files} == {"Q8_0", "Q4_0", "Q6_K"}
    assert len(world.hub.requests("/commit/")) == 1


def test_costly_weights_are_read_once(publication: Publication, tmp_path: Path) -> None:
    plan = ggufpress.plan(BARD, ["Q8_0", "Q4_0"], output=tmp_path / "out")
    parts: list[int] = []

    def make(part: Plan, force: bool) -> Report:
        parts.append(len(part.outputs))
        return execute(part, force=force)

    make_and_push(plan, publication, make, one_read=True)
    assert parts == [2]


def test_one_file_at_a_time_into_one_pull_request(world: World, tmp_path: Path) -> None:
    world.push(world.models("F16"))
    plan = ggufpress.plan(BARD, ["Q8_0", "Q4_0"], output=tmp_path / "out")
    metadata = plan.outputs[0].metadata
    about = About(source_facts(metadata, "bard"), metadata)
    with Publication(world.session(), Target(REPO, create_pr=True), about, ["Q8_0", "Q4_0"]) as opened:
        outcome, _ = make_and_push(plan, opened, lambda part, force: execute(part, force=force), delete=True)
    assert outcome.committed
    assert outcome.committed.url.endswith("/discussions/1")
    assert len(world.hub.store.repositories[REPO].discussions) == 1
    assert {"bard-4m-Q8_0.gguf", "bard-4m-Q4_0.gguf"} <= world.files("refs/pr/1").keys()
    assert "bard-4m-Q8_0.gguf" not in world.files()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NAME]


def test_a_copy_keeps_its_name(tmp_path: Path) -> None:
    (file,) = ggufpress.quantize(BARD, ["Q8_0"], output=tmp_path).files
    plan = ggufpress.plan(file.path, ["COPY"], output=tmp_path / "copy.gguf")
    assert paths_of(plan.outputs[0]) == ("copy.gguf",)


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    plan = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path / "a")
    other = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path / "b")
    with pytest.raises(UsageError, match="would both be"):
        check_names(replace(plan, outputs=plan.outputs + other.outputs))


def test_what_the_hub_does_not_take_whole_is_planned_in_shards(tmp_path: Path) -> None:
    plan = ggufpress.plan(BARD, ["F16", "Q4_0"], output=tmp_path)

    def replan(size: str) -> Plan:
        assert size == "45G"
        return ggufpress.plan(BARD, ["F16", "Q4_0"], output=tmp_path, split_max_size=4_000_000)

    assert split_for_the_hub(plan, replan) is plan
    large, small = split_for_the_hub(plan, replan, limit=5_000_000).outputs
    assert paths_of(large) == tuple(f"F16/bard-4m-F16-0000{n}-of-00003.gguf" for n in (1, 2, 3))
    assert paths_of(small) == ("bard-4m-Q4_0.gguf",)


def test_a_large_file_is_split_for_its_upload_alone(world: World) -> None:
    (model,) = world.models("F16")
    with split_where_needed(model) as whole:
        assert whole is model
    with split_where_needed(model, limit=50_000, shard_size="1M") as one:
        assert one.paths == ("F16/tiny-F16-00001-of-00001.gguf",)
    report = ggufpress.quantize(BARD, ["F16"], output=world.folder)
    (bard,) = local_models([report.files[0].path])
    with split_where_needed(bard, limit=5_000_000, shard_size="4M") as shards:
        assert shards.paths == tuple(f"F16/bard-4m-F16-0000{n}-of-00003.gguf" for n in (1, 2, 3))
        world.push((shards,))
        folder = shards.files[0].parent
        assert read_gguf_set(shards.files[1]).is_split
    assert not folder.exists()
    files = world.files()
    assert {path for path in files if path.endswith(".gguf")} == set(shards.paths)
    card = files["README.md"].decode()
    assert "llama-cli -hf ann/tiny-GGUF:F16" in card
    assert "Ollama does not load a model in shards" in card
    assert "Modelfile" not in files


def test_the_journal_believes_only_the_very_same_output(tmp_path: Path) -> None:
    plan = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path)
    (output,) = plan.outputs
    mark = fingerprint(plan, output)
    assert mark == fingerprint(ggufpress.plan(BARD, ["Q8_0"], output=tmp_path), output)
    other = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path, override_kv=["general.name=str:Other"])
    assert fingerprint(other, other.outputs[0]) != mark
    journal = Journal(tmp_path)
    assert journal.intact(output, mark) is None
    journal.begin(output, mark)
    assert Journal(tmp_path).intact(output, mark) is None
    report = execute(plan)
    digests = (report.files[0].sha256,)
    # killed between the last byte and the entry: the file is read once more
    assert Journal(tmp_path).intact(output, mark) == digests
    journal.finished(output, mark, digests)
    assert Journal(tmp_path).digests(output, mark) == Journal(tmp_path).intact(output, mark) == digests
    assert Journal(tmp_path).digests(output, "another") is None
    path = output.files[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert Journal(tmp_path).intact(output, mark) is None
    path.unlink()
    assert Journal(tmp_path).intact(output, mark) is None
    assert Journal(tmp_path).digests(output, mark) == digests
    journal.forget(output)
    assert Journal(tmp_path).digests(output, mark) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"journal": 1, "outputs": []}', '{"journal": 2, "outputs": {}}'])
def test_a_broken_journal_is_empty(content: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(content)
    plan = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path)
    assert Journal(tmp_path).digests(plan.outputs[0], "mark") is None


def test_odd_entries_of_a_journal_count_for_nothing(tmp_path: Path) -> None:
    plan = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path)
    for files in (3, [], [None], [{"sha256": 3}]):
        entries = {"bard-4m-Q8_0.gguf": {"fingerprint": "mark", "files": files}}
        (tmp_path / NAME).write_text(json.dumps({"journal": 1, "outputs": entries}))
        assert Journal(tmp_path).digests(plan.outputs[0], "mark") is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    plan = ggufpress.plan(BARD, ["Q8_0"], output=tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        Journal(tmp_path / "file").begin(plan.outputs[0], "mark")
