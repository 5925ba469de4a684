"""What transformers' tokenizer classes do to a tokenizer beyond its files.

llama.cpp's converter loads tokenizers through `AutoTokenizer`; the class it picks has default special tokens that may
become new tokens, and may replace the post-processor. Both reach the metadata. Source: transformers 4.57.6, classes
`*TokenizerFast` and TOKENIZER_MAPPING_NAMES; a name without an entry here behaves as GENERIC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SPECIAL_KEYS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The keys that name one special token each, in the order in which missing ones are added to the vocabulary."""

EXTRA_KEY = "additional_special_tokens"


@dataclass(frozen=True)
class TokenizerClass:
    """One class: its defaults where the files are silent, and what it changes in the tokenizer that they describe.

    `marks_special`: default and configured strings are special tokens at once, so they match before normalization.
    `writes_template`: the post-processor is replaced by one that adds BOS and EOS as add_bos_token, add_eos_token say.
    `prefixes_parts`: add_prefix_space reaches the parts of a pre-tokenizer sequence, too.
    `infill_keys`: keys whose tokens join additional_special_tokens, with their defaults.
    `names_pad`: padding rules in tokenizer.json do not make their token the padding token.
    `from_files`: the name of the rules that make a tokenizer of vocab.json and merges.txt, None where there are none;
    `marks_special_of_files`: marks_special where these rules are used.
    `rewrites_normalizer`: BERT's normalizer follows do_lower_case, strip_accents and tokenize_chinese_chars.
    `extra` are the default additional special tokens.
    """

    name: str
    special: Mapping[str, str] = field(default_factory=dict)
    marks_special: bool = False
    writes_template: bool = False
    add_bos: bool = False
    prefixes_parts: bool = False
    add_prefix_space: bool | None = False
    infill_keys: Mapping[str, str] = field(default_factory=dict)
    names_pad: bool = False
    from_files: str | None = None
    marks_special_of_files: bool = False
    rewrites_normalizer: bool = False
    extra: tuple[str, ...] = ()


def _special(unk: str, bos: str | None, eos: str, pad: str | None = None) -> dict[str, str]:
    named = {"unk_token": unk, "bos_token": bos, "eos_token": eos, "pad_token": pad}
    return {key: token for key, token in named.items() if token is not None}


_END = "<|endoftext|>"
_GPT = _special(_END, _END, _END)
_LLAMA = _special("<unk>", "<s>", "</s>")
_INFILL = {"prefix_token": "▁<PRE>", "middle_token": "▁<MID>", "suffix_token": "▁<SUF>", "eot_token": "▁<EOT>"}

_BERT = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
}  # fmt: skip
_ROBERTA = _special("<unk>", "<s>", "</s>", "<pad>") | {"sep_token": "</s>", "cls_token": "<s>", "mask_token": "<mask>"}
_NOT_USED = ("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED")
_BERT_LIKE = ("Bert", "DistilBert", "Electra", "MobileBert", "ConvBert", "SqueezeBert", "LayoutLM", "RetriBert")

GENERIC = TokenizerClass("PreTrainedTokenizer")

CLASSES: Mapping[str, TokenizerClass] = {
    c.name: c
    for c in (
        GENERIC,
        TokenizerClass("LlamaTokenizer", _LLAMA, writes_template=True, add_bos=True, add_prefix_space=None),
        TokenizerClass("CodeLlamaTokenizer", _LLAMA, writes_template=True, add_bos=True, infill_keys=_INFILL),
        TokenizerClass(
            "GemmaTokenizer", _special("<unk>", "<bos>", "<eos>", "<pad>"), writes_template=True, add_bos=True
        ),
        TokenizerClass(
            "CohereTokenizer",
            _special("<UNK>", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
            writes_template=True,
            add_bos=True,
            prefixes_parts=True,
        ),
        TokenizerClass("GPTNeoXTokenizer", _GPT, writes_template=True, names_pad=True),
        TokenizerClass("GPT2Tokenizer", _GPT, from_files="gpt2"),
        TokenizerClass("CodeGenTokenizer", _GPT, from_files="gpt2", marks_special_of_files=True),
        TokenizerClass("Qwen2Tokenizer", _special(_END, None, _END, _END), marks_special=True, from_files="qwen2"),
        *(
            TokenizerClass(f"{name}Tokenizer", _BERT, from_files="bert", rewrites_normalizer=True)
            for name in _BERT_LIKE
        ),
        TokenizerClass("RobertaTokenizer", _ROBERTA, from_files="roberta"),
        TokenizerClass("MPNetTokenizer", _ROBERTA | {"unk_token": "[UNK]"}, rewrites_normalizer=True),
        TokenizerClass("XLMRobertaTokenizer", _ROBERTA, add_prefix_space=None),
        TokenizerClass("CamembertTokenizer", _ROBERTA, add_prefix_space=None, extra=_NOT_USED),
        TokenizerClass("BloomTokenizer", _special("<unk>", "<s>", "</s>", "<pad>"), prefixes_parts=True),
    )
}
"""By name without the ending "Fast": AutoTokenizer prefers the fast class, which is the one described."""

_MODEL_TYPES = {
    "LlamaTokenizer": """
        arcee aria chameleon colpali deepseek_v2 deepseek_v3 deepseek_vl deepseek_vl_hybrid diffllama ernie4_5
        ernie4_5_moe idefics idefics2 idefics3 jamba janus jetmoe llama llama4 llama4_text llava llava_next
        llava_next_video llava_onevision granitevision code_llama ministral mistral mistral3 mixtral mllama paligemma
        persimmon phi3 phimoe video_llava vipllava zamba zamba2""",
    "GemmaTokenizer": """
        gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma shieldgemma2 siglip2 t5gemma""",
    "CohereTokenizer": "aya_vision cohere cohere2",
    "GPTNeoXTokenizer": "falcon_mamba gpt_neox mamba mamba2 mpt olmo olmo2 olmoe rwkv stablelm xlstm",
    "GPT2Tokenizer": """
        blip-2 dbrx emu3 exaone4 flex_olmo gpt2 gpt_bigcode gpt_neo gptj instructblip instructblipvideo minimax olmo3
        opt starcoder2 gpt-sw3 granite granitemoe granitemoehybrid granitemoeshared""",
    "CodeGenTokenizer": "codegen phi",
    "Qwen2Tokenizer": """
        colqwen2 internvl qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_moe qwen3_next
        qwen3_omni_moe qwen3_vl qwen3_vl_moe""",
    "BloomTokenizer": "bloom",
    "BertTokenizer": "bert",
    "DistilBertTokenizer": "distilbert",
    "RobertaTokenizer": "roberta",
    "XLMRobertaTokenizer": "xlm-roberta",
    "CamembertTokenizer": "camembert",
}

CLASS_OF_MODEL_TYPE: Mapping[str, str] = {
    model_type: name for name, model_types in _MODEL_TYPES.items() for model_type in model_types.split()
}
"""The class that a checkpoint without tokenizer_class gets by config.json's model_type.

code_llama stands where its config class, LlamaConfig, stands.
"""
