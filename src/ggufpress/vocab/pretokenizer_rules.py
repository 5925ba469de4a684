"""Rule sets by which text is split before merges, and llama.cpp's name for each.

A rule set is the list of steps that splitting_rules.py makes of a tokenizer.json; a step `split REGEX` holds the regular
expression in canonical form. Several names may stand for the same rules: `by_model_type` prefers the one that llama.cpp
took from that family, `composed` is the name for tokenizers with NFC in front, and `ignoring_merges` for those whose
merges do not apply to words that are tokens as a whole; where it is None, llama.cpp has no such name.
Source: the regular expressions per name in src/llama-vocab.cpp of llama-cpp-python 0.3.36, where it quotes them from the
tokenizer.json of the model, else as it adapts them; those of DeepSeek, Falcon and Command R from these models' files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTRACTION = "<contraction>"
"""Stands for the English endings 's 't 're 've 'm 'll 'd in any case, however a regular expression lists them."""

SPACES = r"\s*[\r\n]|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What a byte-level step with `use_regex` splits by."""

_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_LLAMA3 = rf"{CONTRACTION}|{_WORD}|\p{{N}}{{1,3}}|{_SIGNS}|{SPACES}"
_QWEN2 = rf"{CONTRACTION}|{_WORD}|\p{{N}}|{_SIGNS}|{SPACES}"
_QWEN35 = (
    rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{SPACES}"
)
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CAMEL = r"[^\r\n\p{L}\p{N}]?" + f"{_UPPER}*{_LOWER}+%s|" + r"[^\r\n\p{L}\p{N}]?" + f"{_UPPER}+{_LOWER}*%s"
_TEKKEN = _CAMEL % ("", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
_CAMEL_ENDED = _CAMEL % (f"{CONTRACTION}?", f"{CONTRACTION}?")
_GPT4O = _CAMEL_ENDED + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
_YOUTU = _CAMEL_ENDED + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
_HAN = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
_ASCII_SIGN = '[!"#$%&' + r"'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
_DEEPSEEK3 = (
    _ASCII_SIGN + r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + SPACES,
    _ASCII_SIGN + r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+",
)
_CASED_LETTERS = (
    r"\s?[A-Za-z\xb5\xc0-\xd6\xd8-\xf6\xf8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377"
    r"\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556"
    r"\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a"
    r"\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    r"\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc"
    r"\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
    r"\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b"
    r"\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
    r"\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    r"\U000118a0-\U000118df\U0001e900-\U0001e943]+"
)
_CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
_STOPS = "\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c"


def _characters(regex: str) -> str:
    """The regular expression with the characters themselves where it has escapes by number."""
    return "".join(_unescaped(regex))


def _unescaped(regex: str) -> list[str]:
    out, at = [], 0
    while at < len(regex):
        size = {r"\x": 2, r"\u": 4, r"\U": 8}.get(regex[at : at + 2])
        if size is None:
            out.append(regex[at])
            at += 1
        else:
            out.append(chr(int(regex[at + 2 : at + 2 + size], 16)))
            at += 2 + size
    return out


def splits(*regexes: str) -> tuple[str, ...]:
    """The steps of a byte-level BPE: a split by each regular expression, then bytes."""
    return (*(f"split {regex}" for regex in regexes), "bytes")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One way to split, and its names in llama.cpp: see above."""

    name: str
    steps: tuple[str, ...]
    composed: str | None = None
    ignoring_merges: str | None = None
    by_model_type: Mapping[str, str] = field(default_factory=dict)


RULE_SETS: tuple[RuleSet, ...] = (
    RuleSet("gpt-2", splits(GPT2), composed="olmo", by_model_type={
        "roberta": "roberta-bpe", "modernbert": "modern-bert", "phi": "phi-2", "mpt": "mpt", "exaone4": "exaone4",
        "jais": "jais",
    }),
    RuleSet("starcoder", splits(r"\p{N}", GPT2), composed="command-r", by_model_type={
        "gpt_refact": "refact", "codeshell": "codeshell", "exaone": "exaone", "minerva": "minerva-7b",
    }),
    RuleSet("falcon", ("split punctuation together", f"split {GPT2}", "bytes", r"split \p{N}+", "split [0-9][0-9][0-9]")),
    RuleSet("smaug-bpe", splits(_LLAMA3), ignoring_merges="llama-bpe", by_model_type={
        "dbrx": "dbrx", "chatglm": "chatglm-bpe", "glm": "glm4", "glm4": "glm4", "glm4_moe": "glm4", "falcon_h1": "falcon-h1",
        "lfm2": "lfm2",
    }),
    RuleSet("qwen2", splits(_QWEN2), by_model_type={"stablelm": "stablelm2", "hunyuan": "hunyuan"}),
    RuleSet("qwen35", splits(_QWEN35)),
    RuleSet("deepseek-llm", splits(
        r"[\r\n]", _characters(_CASED_LETTERS), "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$",
        _CJK, r"\p{N}",
    )),
    RuleSet("deepseek-coder", splits(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CJK, r"\p{N}")),
    RuleSet("deepseek-v3", splits(r"\p{N}{1,3}", _HAN, _DEEPSEEK3[0]), by_model_type={
        "hunyuan_v1_dense": "hunyuan-dense", "hy_v4": "hy_v4",
    }),
    RuleSet("spark2_5", splits(r"\p{N}{1,3}", _HAN, _DEEPSEEK3[1], r"\p{N}")),
    RuleSet("youtu", splits(
        "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f"
        "\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        _YOUTU,
    ), ignoring_merges="youtu"),
    RuleSet("bloom", splits(rf" ?[^(\s|[.,!?{_STOPS}])]+")),
    RuleSet("bloom", splits(rf" ?[^(\s|.,!?{_STOPS})]+")),
    RuleSet("viking", splits(rf" ?[^(\s|[.,!?{_STOPS}])]+", r"\p{N}")),
    RuleSet("viking", splits(rf" ?[^(\s|.,!?{_STOPS})]+", r"\p{N}")),
    RuleSet("tekken", splits(_TEKKEN), ignoring_merges="tekken"),
    RuleSet("gpt-4o", splits(_GPT4O), ignoring_merges="granite-embed-multi-97m", by_model_type={
        "llama4": "llama4", "llama4_text": "llama4", "minimax_m2": "minimax-m2",
    }),
    RuleSet("tiny_aya", splits(r"\d{1,3}(?=(?:\d{3})*\b)", _GPT4O)),
    RuleSet("superbpe", splits(r"\p{N}+", r"(?=(\d{3})+(?!\d))")),
    RuleSet("seed-coder", splits(rf"{CONTRACTION}|{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{SPACES}")),
    RuleSet("ufakzeka", splits(rf"{_WORD}|\p{{N}}|{_SIGNS}|{SPACES}")),
    RuleSet("laguna", splits(r"[^\n]+|[\n]+", _QWEN2)),
    RuleSet("exaone-moe", splits(
        rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]?|{SPACES}"
    )),
    RuleSet("minicpm5", splits(r"\p{N}{1,3}", rf"{CONTRACTION}|{_WORD}|\p{{N}}+|{_SIGNS}|{SPACES}"),
            ignoring_merges="minicpm5"),
    RuleSet("jais-2", splits(
        rf"{CONTRACTION}|{_WORD}|\p{{N}}{{1,3}}|{_SIGNS}|\s*[\r\n]|"
        + "|".join(rf"\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4, "1,2")) + r"|\s{1}"
    )),
    RuleSet("chameleon", splits(
        "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
        r"[\p{P}!-/:-@\[-`{-~]", GPT2,
    )),
    RuleSet("gemma4", ('replace " " by "\u2581"', 'split string " " MergedWithPrevious')),
    RuleSet("gemma4", ('replace " " by "\u2581"',)),
)  # fmt: skip
"""Bailing's rules are Qwen2's in canonical form, and so are those of Grok 2."""

WORD_PIECES = RuleSet("jina-v2-en", ("bert words",))
"""The rules of BERT, which llama.cpp has for every WordPiece, whatever its name: this is the last one for the first BERT."""

ADDING_BOS = frozenset(
    ("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken",
     "chameleon")
)  # fmt: skip
"""The names with which llama.cpp begins each text with BOS unless the file says otherwise. Source: src/llama-vocab.cpp."""

_NAMES = """
    default minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano deepseek-llm
    deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es
    jina-v2-de a.x-4.0 mellum modern-bert jais-2 gemma4 granite-embed-multi-311m sarvam-moe jina-v1-en jina-v2-code
    roberta-bpe whitespace refact command-r qwen2 deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx smaug-bpe
    poro-chat chatglm-bpe glm4 glm5 viking jais tekken smollm codeshell bloom gpt3-finnish exaone exaone4 exaone-moe
    chameleon minerva-7b megrez gpt-4o llama4 kanana2 talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe
    trillion granite-docling bailingmoe bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm kimi-k2
    ufakzeka grok-2 afmoe laguna minimax-m2 solar-open mellum2"""
NAMES_OF_LLAMA_CPP = frozenset(_NAMES.split())
"""What llama.cpp takes for tokenizer.ggml.pre of a byte-level BPE. Source: src/llama-vocab.cpp."""
