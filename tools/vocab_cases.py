"""The small folders whose metadata tools/record_vocab.py records from llama.cpp's converter."""

from __future__ import annotations

from typing import Any

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}

N_VOCAB = {"gpt-2": 50304, "llama-bpe": 128256, "qwen2": 151936, "deepseek-llm": 102400, "llama-fast": 32000}
N_VOCAB["gpt-2-dense"] = 512
FIRST_FREE = {"gpt-2": 50257, "llama-bpe": 128256, "qwen2": 151669, "deepseek-llm": 100015, "gpt-2-dense": 392}
SPECIALS: dict[str, dict[str, str | None]] = {
    "gpt-2": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
    "gpt-2-dense": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    "llama-bpe": {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
    "qwen2": {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "deepseek-llm": {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"},
    "llama-fast": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
}
CLASSES = {
    "gpt-2": "GPT2Tokenizer",
    "gpt-2-dense": "PreTrainedTokenizerFast",
    "llama-bpe": "PreTrainedTokenizerFast",
    "qwen2": "Qwen2Tokenizer",
    "deepseek-llm": "LlamaTokenizerFast",
    "llama-fast": "LlamaTokenizer",
}


def token(content: str, **flags: bool) -> dict[str, Any]:
    """An entry of added_tokens_decoder."""
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}
    return {"content": content, **plain, **flags}


def template(*specials: str) -> dict[str, Any]:
    """A post-processor template; $A and $B are the texts."""

    def part(name: str) -> dict[str, Any]:
        if name.startswith("$"):
            return {"Sequence": {"id": name[1:], "type_id": 0}}
        return {"SpecialToken": {"id": name, "type_id": 0}}

    split = specials.index("|")
    single, pair = specials[:split], specials[split + 1 :]
    named = {name: {"id": name, "ids": [1], "tokens": [name]} for name in (*single, *pair) if not name.startswith("$")}
    return {
        "type": "TemplateProcessing",
        "single": [part(name) for name in single],
        "pair": [part(name) for name in pair or ("$A", "$B")],
        "special_tokens": named,
    }


def _case(
    base: str | None,
    config: dict[str, Any] | None = None,
    *,
    n_vocab: int | None = None,
    model: dict[str, Any] | None = None,
    files: dict[str, Any] | None = None,
    tokenizer: dict[str, Any] | None = None,
    spm: bool = False,
) -> dict[str, Any]:
    out: dict[str, Any] = {"files": {**(files or {})}}
    if config is not None:
        out["files"]["tokenizer_config.json"] = config
    n_vocab = n_vocab or (N_VOCAB[base] if base else None)
    size = {} if n_vocab is None else {"vocab_size": n_vocab}
    out["files"]["config.json"] = {**CONFIG, **size, **(model or {})}
    if base:
        out["base"] = base
    if tokenizer:
        out["tokenizer"] = tokenizer
    if spm:
        out["spm"] = True
    return out


def vocab_cases() -> dict[str, dict[str, Any]]:
    """Case by name: `files`; `base`, a cut-down tokenizer.json, `tokenizer`, its changed keys; `spm` for the model."""
    cases: dict[str, dict[str, Any]] = {}
    for base, specials in SPECIALS.items():
        config: dict[str, Any] = {"tokenizer_class": CLASSES[base], **specials}
        cases[f"{base}"] = _case(base, config)
        cases[f"{base}/no config"] = _case(
            base, None, model={"bos_token_id": 3, "eos_token_id": [4, 5], "pad_token_id": 6}
        )
        cases[f"{base}/empty config"] = _case(base, {}, files={"chat_template.jinja": "unseen"})
        cases[f"{base}/adds"] = _case(base, {**config, "add_bos_token": True, "add_eos_token": True})
        cases[f"{base}/new specials"] = _case(
            base,
            {**config, "pad_token": "<new pad>", "additional_special_tokens": ["<a>", "<|b|>"], "mask_token": "<m>"},
            n_vocab=N_VOCAB[base] + 8,
        )
        cases[f"{base}/prefix space"] = _case(base, {**config, "add_prefix_space": base in ("gpt-2", "qwen2")})
        for name in ("GPTNeoXTokenizer", "CohereTokenizer", "CodeLlamaTokenizer", "BloomTokenizer", "Qwen2Tokenizer"):
            cases[f"{base}/{name}"] = _case(base, {"tokenizer_class": name}, n_vocab=N_VOCAB[base] + 16)
        cases[f"{base}/older files"] = _case(
            base,
            {"tokenizer_class": CLASSES[base], "eos_token": "<at>"},
            n_vocab=N_VOCAB[base] + 16,
            files={
                "added_tokens.json": {"<at>": N_VOCAB[base], "at two": N_VOCAB[base] + 1},
                "special_tokens_map.json": {
                    "bos_token": {key: value for key, value in token("<bos>", lstrip=True).items() if key != "special"},
                    "additional_special_tokens": ["<x>", "at two"],
                },
            },
        )
    for base, first in FIRST_FREE.items():
        new = [
            token("<|special|>", special=True),
            token("plain words"),
            token("▁under▁", normalized=True),
            token("<pad>"),
            token(" it 's . fine", normalized=False),
            token("  wide", lstrip=True),
            token("é́", special=True),
        ]
        decoder = {str(first + i): entry for i, entry in enumerate(new)}
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": decoder} | SPECIALS[base]
        cases[f"{base}/added"] = _case(base, config, n_vocab=first + 200)
        cases[f"{base}/added, cleaned"] = _case(
            base, {**config, "clean_up_tokenization_spaces": True}, n_vocab=first + 200
        )
    end, start = "<|endoftext|>", "<s>"
    templates = {
        "bos": template(start, "$A", "|", start, "$A", "$B"),
        "eos": template("$A", "</s>", "|", "$A", "</s>", "$B", "</s>"),
        "bert": template(start, "$A", "</s>", "|", start, "$A", "</s>", "</s>", "$B", "</s>"),
        "strange": template("<unk>", "$A", "<unk>", "|", "$A", "<unk>", "$B"),
        "separator": template(start, "$A", "|", start, "$A", "</s>", "$B"),
        "roberta": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": [start, 1], "trim_offsets": True}
        | {"add_prefix_space": False},
        "bytes": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    }
    for name, processor in templates.items():
        change = {"post_processor": processor}
        cases[f"template {name}"] = _case("llama-fast", {"bos_token": start, "eos_token": "</s>"}, tokenizer=change)
        cases[f"template {name}, no config"] = _case("llama-fast", None, tokenizer=change)
        cases[f"template {name}, cls and sep"] = _case(
            "llama-fast",
            {"cls_token": start, "sep_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast"},
            tokenizer=change,
        )
    normalizers = {
        "lower": {"type": "Lowercase"},
        "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
        | {"strip_accents": None, "lowercase": True},
        "sequence": {"type": "Sequence", "normalizers": [{"type": "StripAccents"}, {"type": "Lowercase"}]},
    }
    for name, normalizer in normalizers.items():
        cases[f"normalizer {name}"] = _case("gpt-2", {**SPECIALS["gpt-2"]}, tokenizer={"normalizer": normalizer})
    chats: dict[str, dict[str, Any]] = {
        "text": {"config": {"chat_template": "{{ é }}"}},
        "named": {"config": {"chat_template": [_chat("default", "d"), _chat("tool use", "t")]}},
        "no default": {"config": {"chat_template": [_chat("tool-use", "t")]}},
        "empty list": {"config": {"chat_template": []}},
        "null hides a file": {"config": {"chat_template": None}, "files": {"chat_template.jinja": "j"}},
        "jinja": {"config": {}, "files": {"chat_template.jinja": "{{ j }}\n"}},
        "jinja and more": {
            "config": {},
            "files": {"chat_template.jinja": "j", "additional_chat_templates/tool.jinja": "t"},
        },
        "json": {"config": {}, "files": {"chat_template.json": {"chat_template": "from json"}}},
        "object": {"config": {"chat_template": {"default": "d"}}},
    }
    for name, chat in chats.items():
        config = {**SPECIALS["gpt-2"], **chat["config"]}
        cases[f"chat {name}"] = _case("gpt-2", config, files=chat.get("files"))
    cases.update(_spm_cases())
    cases["truncating, padding"] = _case(
        "gpt-2",
        {"bos_token": end},
        tokenizer={
            "truncation": {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None}
            | {"pad_id": 0, "pad_type_id": 0, "pad_token": "<padding>"},
        },
    )
    cases["granite size"] = _case("llama-fast", {}, n_vocab=49152)
    cases["out of range"] = _case("gpt-2", {}, n_vocab=50256)
    cases["negative id"] = _case("gpt-2", {}, model={"pad_token_id": -1})
    return cases


def _chat(name: str, template: str) -> dict[str, str]:
    return {"name": name, "template": template}


def _spm_cases() -> dict[str, dict[str, Any]]:
    config = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}
    decoder = {
        "0": token("<unk>", special=True),
        "400": token("▁spaced▁"),
        "401": token("<|turn|>"),
        "900": token("far"),
    }
    return {
        "spm": _case(None, config, spm=True, n_vocab=400),
        "spm/no config": _case(None, None, spm=True, n_vocab=400, model={"bos_token_id": 1, "eos_token_id": 2}),
        "spm/padded": _case(None, {**config, "add_prefix_space": False}, spm=True, n_vocab=448),
        "spm/cut": _case(None, config, spm=True, n_vocab=300, model={"pad_token_id": 300, "unk_token_id": 299}),
        "spm/added": _case(
            None,
            {**config, "added_tokens_decoder": decoder, "add_bos_token": True, "add_eos_token": False},
            spm=True,
            n_vocab=410,
            files={"added_tokens.json": {"<one>": 402, "▁two": 403, "<far>": 5000, "<seven>": 7}},
        ),
        "spm/with tokenizer.json": _case("llama-fast", config, spm=True, n_vocab=400),
        "spm/code llama": _case(
            None, {**config, "chat_template": "c"}, spm=True, n_vocab=32016, model={"eot_token_id": 5}
        ),
    }


def metadata_cases() -> dict[str, dict[str, Any]]:
    """Case by name: the folder's name and its files."""
    folders = (
        "TinyLlama-1.1B-Chat-v1.0 Llama-2-7b-chat-hf Mixtral-8x7B-v0.1 bloom-7b1 gpt2 Qwen1.5-MoE-A2.7B-Chat "
        "Llama-3-8B-Instruct-262k stablelm-2-1_6b-chat model-Q8_0-fp16 x-large-7b 7B -a--b- iter3-x-v2 x-46.7B-4k"
    )
    cases = {f"folder {name}": {"folder": name, "files": {}} for name in [*folders.split(), "My Model 7B"]}
    for name in ("meta-llama/Llama-2-7b-hf", "./Llama-7b", "/home/me/x", "Some Name", "", "org/"):
        cases[f"path {name}"] = {"folder": "tiny-5m", "files": {"config.json": {"_name_or_path": name}}}
    cards = {
        "plain": 'license: mit\nlanguage:\n- en\n- no\ntags: [chat, "q"]\npipeline_tag: text-generation',
        "named": "name: N\nauthor: A\nversion: v9\norganization: O\nfinetune: f\nbasename: b\ndescription: |\n  x\n  y",
        "model_": "model_name: N\nmodel_creator: C\nmodel_type: llama\nmodel_url: u\nmodel_doi: d\nrepo_url: r",
        "license": "license: [mit, apache-2.0]\nlicense_name: n\nlicense_link: ''",
        "bases": "base_model:\n- a/b-7b-v2\n- https://huggingface.co/o/n-7b-v1.0\n- https://huggingface.co/o/n/tree\n"
        "- ssh://x/y\n- 5\n- {name: N, url: U, other: x}\n- plain-7b",
        "no bases": "base_model: null\ndatasets: 7",
        "datasets": "datasets: [a/b, c-v2, https://huggingface.co/o/d-v1]",
        "numbers": "tags: [1, 2]\nlanguages: [1.5]",
        "mixed tags": "tags: [a, 1]",
        "license number": "license: 2",
        "version number": "version: 1.1",
        "zero": "license: 0\nname: ''",
        "list": "- a\n- b",
        "broken": "a: [",
        "tagged": "a: !!python/object/apply:os.getcwd []",
        "tabs": "tags:\n\t- a\n\t- b",
        "alias": "name: &n N\nauthor: *n\n<<: {version: v3}",
    }
    for name, card in cards.items():
        cases[f"card {name}"] = {"folder": "Tiny-5M-chat", "files": {"README.md": f"---\n{card}\n---\n# T\n"}}
    texts = {"empty": "", "open": "---\nname: x\n", "no front": "# T\n", "late": "\n---\nname: x\n---\n"}
    for name, content in texts.items():
        cases[f"card {name}"] = {"folder": "Tiny-5M-chat", "files": {"README.md": content}}
    samplings: dict[str, Any] = {
        "usual": {"temperature": 0.6, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1, "do_sample": True},
        "all": {"sequence": "top_k;temp", "min_p": 0.05, "xtc_probability": 0.1, "xtc_threshold": 0.2, "mirostat": 2}
        | {"penalty_last_n": 64, "penalty_repeat": 1, "mirostat_tau": 5.0, "mirostat_eta": 0.1},
        "nulls": {"temperature": None, "penalty_repeat": None, "repetition_penalty": 1.1, "sequence": ""},
        "wrong": {"top_k": 50.0},
        "broken": "{",
    }
    for name, sampling in samplings.items():
        cases[f"sampling {name}"] = {"folder": "tiny", "files": {"generation_config.json": sampling}}
    return cases
