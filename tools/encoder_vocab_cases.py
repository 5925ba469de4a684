"""The small folders of encoders whose vocabularies tools/record_encoder_vocab.py records from llama.cpp's converter.

A file given as "@NAME" is made by `base_files` from the small tokenizers in tests/data; `change` then replaces keys of
tokenizer.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
MODEL_TYPES = {
    "BertModel": "bert", "DistilBertModel": "distilbert", "RobertaModel": "roberta", "XLMRobertaModel": "xlm-roberta",
    "JinaBertModel": "bert", "T5ForConditionalGeneration": "t5",
}  # fmt: skip
KINDS = {
    "BertModel": "wpm", "DistilBertModel": "wpm", "RobertaModel": "roberta", "XLMRobertaModel": "xlm-roberta",
    "JinaBertModel": "jina-v2", "T5ForConditionalGeneration": "t5",
}  # fmt: skip
ROBERTA_ENDS = {
    "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False,
}  # fmt: skip
PLAIN_XLM = {
    "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "unk_token": "<unk>",
    "pad_token": "<pad>", "mask_token": "<mask>",
}  # fmt: skip


def base_files() -> dict[str, bytes]:
    """The files that cases share, by name."""
    tokenizers = DATA / "tokenizers"
    bert = json.loads((tokenizers / "bert" / "tokenizer.json").read_text(encoding="utf-8"))
    gpt2 = json.loads((DATA / "vocab" / "gpt-2.json").read_text(encoding="utf-8"))
    words = [f"[unused_{i}]" for i in range(30522)]
    for word, i in bert["model"]["vocab"].items():
        words[i] = word
    lines = "\n".join(words)
    ends = {"<s>": 50300, "</s>": 50301, "<unk>": 50302, "<pad>": 50299, "<mask>": 50298}
    return {
        "@bert": json.dumps(bert).encode(),
        "@xlm": (tokenizers / "xlm-roberta-json" / "tokenizer.json").read_bytes(),
        "@xlm-model": (tokenizers / "xlm-roberta" / "sentencepiece.bpe.model").read_bytes(),
        "@t5": (tokenizers / "t5" / "spiece.model").read_bytes(),
        "@gpt-2": json.dumps(gpt2).encode(),
        "@words": f"{lines}\n".encode(),
        "@words-no-end": lines.encode(),
        "@words-crlf": f"{lines}\n".replace("\n", "\r\n").encode(),
        "@vocab": json.dumps(gpt2["model"]["vocab"] | ends).encode(),
        "@merges": ("#version: 0.2\n" + "\n".join(gpt2["model"]["merges"]) + "\n").encode(),
    }


def built(case: dict[str, Any], bases: dict[str, bytes]) -> dict[str, bytes]:
    """The files of a case, by name."""
    found = {}
    for name, content in case["files"].items():
        if isinstance(content, str) and content.startswith("@"):
            data = bases[content]
            if name == "tokenizer.json" and case.get("change"):
                data = json.dumps({**json.loads(data), **case["change"]}).encode()
            found[name] = data
        else:
            found[name] = json.dumps(content).encode()
    return found


def _token(content: str, **flags: bool) -> dict[str, Any]:
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}
    return {"content": content, **plain, **flags}


def _case(hf_class: str, n_vocab: int | None, files: dict[str, Any], **more: Any) -> dict[str, Any]:
    config = {"architectures": [hf_class], "model_type": MODEL_TYPES[hf_class], **more.pop("config", {})}
    size = {} if n_vocab is None else {"vocab_size": n_vocab}
    return {"class": hf_class, "files": {**files, "config.json": {**config, **size}}, **more}


def _bert(config: dict[str, Any] | None, n_vocab: int | None = 30522, hf_class: str = "BertModel", **more: Any) -> Any:
    files = {"tokenizer.json": "@bert"} | ({} if config is None else {"tokenizer_config.json": config})
    return _case(hf_class, n_vocab, files | more.pop("files", {}), **more)


def _words(config: dict[str, Any] | None, n_vocab: int = 30522, words: str = "@words", **files: Any) -> Any:
    named = {"added_tokens.json": files.get("added"), "special_tokens_map.json": files.get("special")}
    more = {name: content for name, content in named.items() if content}
    return _case(
        files.get("hf_class", "BertModel"), n_vocab,
        {"vocab.txt": words, **({} if config is None else {"tokenizer_config.json": config}), **more},
    )  # fmt: skip


def _xlm(config: dict[str, Any] | None, n_vocab: int = 704, **more: Any) -> Any:
    files = {"tokenizer.json": "@xlm"} | ({} if config is None else {"tokenizer_config.json": config})
    return _case("XLMRobertaModel", n_vocab, files, **more)


def _gpt2(hf_class: str, config: dict[str, Any], **more: Any) -> Any:
    return _case(hf_class, 50304, {"tokenizer.json": "@gpt-2", "tokenizer_config.json": config}, **more)


def cases() -> dict[str, dict[str, Any]]:
    """All cases by name."""
    bert = json.loads((DATA / "tokenizers" / "bert" / "tokenizer_config.json").read_text(encoding="utf-8"))
    xlm = json.loads((DATA / "tokenizers" / "xlm-roberta-json" / "tokenizer_config.json").read_text(encoding="utf-8"))
    no_class = {key: value for key, value in bert.items() if key != "tokenizer_class"}
    class_alone = {"tokenizer_class": "BertTokenizer"}
    pad = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0,
           "pad_token": "<pad>"}  # fmt: skip
    added = {"30522": _token("<x>", special=True), "30523": _token("▁user it")}
    return {
        "bert/plain": _bert(bert),
        "bert/cased": _bert(bert | {"do_lower_case": False}),
        "bert/accents": _bert(bert | {"strip_accents": True}),
        "bert/chinese": _bert(bert | {"tokenize_chinese_chars": False}),
        "bert/no config": _bert(None),
        "bert/no class": _bert(no_class),
        "bert/no class, DistilBERT": _bert(no_class, hf_class="DistilBertModel"),
        "bert/plain class": _bert(bert | {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False}),
        "bert/MPNet": _bert(bert | {"tokenizer_class": "MPNetTokenizer"}),
        "bert/added": _bert(bert | {"added_tokens_decoder": bert.get("added_tokens_decoder", {}) | added}, 30600),
        "bert/class alone": _bert(class_alone),
        "bert/other specials": _bert(class_alone | {"cls_token": "<c>", "sep_token": "<s>", "mask_token": None}, 30600),
        "bert/map": _bert(class_alone, 30600, files={"special_tokens_map.json": {
            "cls_token": "[CLS]", "additional_special_tokens": ["<extra>"]}}),
        "bert/no size": _bert(bert, None),
        "bert/normalizers": _bert(bert, change={"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Lowercase"}]}}),
        "words/plain": _words(bert),
        "words/no config": _words(None),
        "words/cased": _words(class_alone | {"do_lower_case": False}),
        "words/added": _words(class_alone, 30600, added={"<new>": 30522}, special={"additional_special_tokens": ["<sp>"]}),
        "words/not basic": _words(class_alone | {"do_basic_tokenize": False}),
        "words/no end": _words(class_alone, words="@words-no-end"),
        "words/line ends": _words(class_alone, words="@words-crlf"),
        "xlm/plain": _xlm(xlm),
        "xlm/no config": _xlm(None),
        "xlm/no prefix": _xlm({**PLAIN_XLM, "tokenizer_class": "XLMRobertaTokenizer"}),
        "xlm/extra": _xlm(xlm | {"additional_special_tokens": ["▁the", "<new>"]}, 800),
        "xlm/added": _xlm(xlm | {"added_tokens_decoder": {
            "5": _token("<five>", special=True), "702": _token("<seven>", special=True)}}, 800),
        "xlm/CamemBERT": _xlm(xlm | {"tokenizer_class": "CamembertTokenizer"}, 800),
        "xlm/small": _xlm(xlm, 300),
        "xlm/padding": _xlm({"tokenizer_class": "XLMRobertaTokenizer"}, change={"padding": pad}),
        "xlm/model": _case("XLMRobertaModel", 704, {"sentencepiece.bpe.model": "@xlm-model"}),
        "xlm/model and json": _case("XLMRobertaModel", 704, {
            "sentencepiece.bpe.model": "@xlm-model", "tokenizer.json": "@xlm", "tokenizer_config.json": xlm},
            config={"type_vocab_size": 1}),
        "xlm/model, small": _case("XLMRobertaModel", 600, {"sentencepiece.bpe.model": "@xlm-model"}),
        "t5/plain": _case("T5ForConditionalGeneration", 720, {"spiece.model": "@t5"}),
        "t5/json beside": _case("T5ForConditionalGeneration", 720, {
            "tokenizer.model": "@t5", "tokenizer.json": "@xlm", "tokenizer_config.json": xlm,
            "added_tokens.json": {"<a>": 710, "<b>": 3}}),
        "roberta/plain": _gpt2("RobertaModel", {"tokenizer_class": "RobertaTokenizer"}, change={"post_processor": ROBERTA_ENDS}),
        "roberta/prefix": _gpt2("RobertaModel", {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True},
                                change={"post_processor": ROBERTA_ENDS}),
        "roberta/merges": _case("RobertaModel", 50304, {
            "vocab.json": "@vocab", "merges.txt": "@merges", "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer"}}),
        "jina/bert": _case("JinaBertModel", 30522, {"tokenizer.json": "@bert", "tokenizer_config.json": class_alone}),
        "jina/gpt-2": _gpt2("JinaBertModel", {"tokenizer_class": "RobertaTokenizer"}),
        "jina/whitespace": _gpt2("JinaBertModel", {"tokenizer_class": "RobertaTokenizer"}, change={
            "pre_tokenizer": {"type": "Whitespace"}, "normalizer": {"type": "Lowercase"}}),
    }  # fmt: skip
