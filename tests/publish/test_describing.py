from __future__ import annotations

import json
from pathlib import Path

import pytest

import ggufpress
from ggufpress.errors import GgufError, UsageError
from ggufpress.gguf.values import ValueType, array, flag, text, u32
from ggufpress.publish.describing import (
    chat_facts,
    context_length,
    file_type,
    local_models,
    overall_rmse,
    published,
    sha256_of,
    source_facts,
)
from ggufpress.quant.types import F32, Q4_K, Q8_0
from tests.chat.templates import GEMMA, LLAMA3, OWN
from tests.made_gguf import make_gguf
from tests.tiny_checkpoints import BARD


def test_the_bundled_model_as_it_is_published(tmp_path: Path) -> None:
    report = ggufpress.quantize(BARD, ["Q4_K_M"], output=tmp_path, manifest=True)
    (model,) = local_models([report.files[0].path])
    assert (model.type, model.paths) == ("Q4_K_M", ("bard-4m-Q4_K_M.gguf",))
    digests = [sha256_of(file) for file in model.files]
    assert digests == [report.files[0].sha256]
    found = published(model, None, digests)
    assert found.n_params == 4_196_608
    assert found.bpw == pytest.approx(report.files[0].bpw)
    assert found.rmse == pytest.approx(0.00211, abs=1e-5)
    metadata = model.stored.metadata
    source = source_facts(metadata, "fallback", repo="org/bard", revision="abc")
    assert (source.name, source.license, source.pipeline_tag) == ("Bard 4m", "mit", "text-generation")
    assert context_length(metadata) == 512
    chat = chat_facts(metadata)
    assert chat.prompt.format == "Zephyr"
    assert chat.prompt.example == "<|system|>\n{system_prompt}</s>\n<|user|>\n{prompt}</s>\n<|assistant|>\n"
    assert chat.stop == ("</s>", "<|user|>")
    assert chat.sampling == {"temperature": pytest.approx(0.8), "top_p": pytest.approx(0.95)}


def test_a_manifest_of_another_file_counts_for_nothing(tmp_path: Path) -> None:
    report = ggufpress.quantize(BARD, ["Q8_0"], output=tmp_path, manifest=True)
    path = report.files[0].path
    (model,) = local_models([path])
    beside = path.with_name(path.name + ".manifest.json")
    stated = json.loads(beside.read_text())
    stated["output"]["files"][0]["sha256"] = "0" * 64
    for content in (json.dumps(stated), "[", "null", '{"output": 3}', "[" * 100_000):
        beside.write_text(content)
        assert published(model, None, [report.files[0].sha256]).rmse is None


def test_types_come_from_the_name_the_header_or_the_tensors(tmp_path: Path) -> None:
    def typed(name: str, ftype: int | None) -> str:
        keys = {"general.file_type": u32(ftype)} if ftype is not None else {}
        path = make_gguf(tmp_path / name, [("a.weight", (2, 256), Q4_K), ("b.weight", (2,), F32)], keys)
        (model,) = local_models([path])
        return model.type

    assert typed("m-Q5_K_M.gguf", 15) == "Q5_K_M"
    assert typed("m.gguf", 15) == "Q4_K_M"
    assert typed("m.gguf", 9999) == "Q4_K"
    assert typed("m.gguf", None) == "Q4_K"


def test_shards_are_one_model_whichever_is_named(tmp_path: Path) -> None:
    whole = make_gguf(tmp_path / "big.gguf", [(f"{n}.weight", (8, 256), Q8_0) for n in range(4)])
    shards = ggufpress.split(whole, output=tmp_path / "big-Q8_0", split_max_tensors=2)
    paths = [file.path for file in shards.files]
    (model,) = local_models([paths[1], paths[0]])
    assert model.paths == tuple(f"Q8_0/big-Q8_0-0000{n}-of-00002.gguf" for n in (1, 2))
    assert file_type(model.stored) == "Q8_0"
    paths[0].unlink()
    with pytest.raises(GgufError, match="missing"):
        local_models([paths[1]])


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make_gguf(tmp_path / folder / "m-Q8_0.gguf", [("a.weight", (1, 32), Q8_0)])
    with pytest.raises(UsageError, match="would both be"):
        local_models([tmp_path / "a" / "m-Q8_0.gguf", tmp_path / "b" / "m-Q8_0.gguf"])


TOKENS = array(ValueType.STRING, ["<s>", "</s>", "<eot>"])
KEYS = {
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.bos_token_id": u32(0),
    "tokenizer.ggml.eos_token_id": u32(1),
    "tokenizer.ggml.eot_token_id": u32(2),
}


def test_the_chat_template_and_its_tokens() -> None:
    llama = chat_facts({**KEYS, "tokenizer.chat_template": text(LLAMA3), "tokenizer.ggml.add_bos_token": flag(True)})
    assert llama.stop[:2] == ("</s>", "<eot>")
    assert llama.prompt.example is not None
    assert not llama.prompt.example.startswith("<s>")
    bare = chat_facts({**KEYS, "tokenizer.chat_template": text(LLAMA3), "tokenizer.ggml.add_bos_token": flag(False)})
    assert bare.prompt.example == f"<s>{llama.prompt.example}"
    gemma = chat_facts({**KEYS, "tokenizer.chat_template": text(GEMMA), "tokenizer.ggml.model": text("llama")})
    assert gemma.prompt.example == "<start_of_turn>user\n{prompt}<end_of_turn>\n<start_of_turn>model\n"
    own = chat_facts({"tokenizer.chat_template": text(OWN)})
    assert (own.prompt.format, own.format is None) == (None, False)
    odd = chat_facts({"tokenizer.chat_template": text("{{ messages[-1].content }}, say!")})
    assert (odd.format, odd.prompt.example, odd.stop) == (None, "{prompt}, say!", ())
    assert not chat_facts({}).prompt.has_template


def test_keys_of_the_wrong_type_say_nothing() -> None:
    odd = {"general.name": u32(3), "general.tags": text("x"), "tokenizer.ggml.bos_token_id": u32(99), **{"a.b": TOKENS}}
    assert source_facts(odd, "fallback").name == "fallback"
    assert chat_facts({**KEYS, **odd, "tokenizer.chat_template": text(LLAMA3)}).format is not None
    assert context_length({"general.architecture": text("a"), "a.context_length": text("many")}) is None


def test_the_model_s_own_repository_is_read_and_no_other() -> None:
    assert source_facts({"general.source.repo_url": text("https://huggingface.co/org/m")}, "f").repo == "org/m"
    for url in ("https://github.com/org/m", "https://huggingface.co/org", "org/m"):
        assert source_facts({"general.source.repo_url": text(url)}, "f").repo is None
    base = {"general.base_model.0.repo_url": text("https://huggingface.co/org/base")}
    assert source_facts(base, "f").repo is None


def test_errors_of_tensors_together() -> None:
    assert overall_rmse([(1, 3.0), (1, 4.0)]) == pytest.approx((25 / 2) ** 0.5)
    assert overall_rmse([]) is None
    assert overall_rmse([(1, float("nan"))]) is None
