"""Write src/ggufpress/arch/supported.json: what each class becomes, by describing the tests' tiny checkpoints.

    python tools/record_supported.py

A class without a case of its own is described from the configs of its family's cases. Takes half a minute; whether the
table is up to date is tested in tests/arch/test_supported.py.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ggufpress.arch.config import Config  # noqa: E402
from ggufpress.arch.registry import all_described, all_families, describe  # noqa: E402
from ggufpress.arch.spec import Arch  # noqa: E402
from ggufpress.arch.supported import TABLE  # noqa: E402
from ggufpress.arch.text_half import text_half  # noqa: E402
from ggufpress.errors import GgufpressError  # noqa: E402
from ggufpress.source.checkpoint import Checkpoint  # noqa: E402
from ggufpress.source.resolve import resolve  # noqa: E402
from tests.tiny.families import FAMILY_CASES  # noqa: E402
from tests.tiny_checkpoints import CASES, make  # noqa: E402

OWN_CONFIGS: dict[str, dict[str, Any]] = {
    "HunYuanMoEV1ForCausalLM": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 2048,
        "num_experts": 4, "moe_topk": [2, 2], "moe_intermediate_size": [32, 32], "num_shared_expert": [1, 1],
    },
    "OpenELMForCausalLM": {
        "num_transformer_layers": 2, "model_dim": 64, "head_dim": 16, "num_query_heads": [4, 4], "num_kv_heads": [2, 2],
        "ffn_multipliers": [1.0, 2.0], "ffn_dim_divisor": 16, "vocab_size": 32000, "max_context_length": 512,
        "rope_freq_constant": 10000,
    },
    "PlamoForCausalLM": {
        "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 2, "num_attention_heads": 40,
        "num_key_value_heads": 5, "rms_norm_eps": 1e-5, "vocab_size": 50432,
    },
    "QWenLMHeadModel": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 2048,
        "seq_length": 64, "kv_channels": 16, "layer_norm_epsilon": 1e-6, "rotary_emb_base": 1e4,
    },
}  # fmt: skip
"""Configs for families that no tiny checkpoint of the tests reaches: their shapes are fixed, or too large."""

FAMILY = {name: family.__name__.rsplit(".", 1)[1] for family in all_families() for name in family.CLASSES}


def main() -> None:
    """Describe all cases and write the table."""
    described: list[tuple[str, str, Arch]] = []
    with tempfile.TemporaryDirectory() as temporary:
        sources: dict[str, list[Checkpoint]] = {}
        for case in [*CASES, *FAMILY_CASES.values()]:
            source = resolve(make(case, Path(temporary) / case.name))
            assert isinstance(source, Checkpoint)
            hf_class = case.config["architectures"][0]
            arch = describe(source)
            described.append((hf_class, case.name, arch))
            for family in {FAMILY[arch.hf_class], FAMILY.get(hf_class, FAMILY[arch.hf_class])}:
                sources.setdefault(family, []).append(source)
        for hf_class in all_described().keys() - {hf_class for hf_class, _, _ in described}:
            configs = [Config(source.config, "", source.tensors) for source in sources.get(FAMILY[hf_class], [])]
            configs += [Config(OWN_CONFIGS[hf_class], "")] if hf_class in OWN_CONFIGS else []
            described += [(hf_class, "", arch) for arch in _as(hf_class, configs)]
    names = sorted(
        {*all_described(), *(hf_class for hf_class, _, _ in described)}, key=lambda name: (name.lower(), name)
    )
    rows = [_row(name, [row[1:] for row in described if row[0] == name]) for name in names]
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    (ROOT / "src" / "ggufpress" / "arch" / TABLE).write_text(text, encoding="utf-8")


def _as(hf_class: str, configs: list[Config]) -> list[Arch]:
    """What the family makes of `configs` under another class; nothing of those that are not for that class."""
    found = []
    for config in configs:
        with contextlib.suppress(GgufpressError):
            found.append(
                all_described()[hf_class](text_half(config.replace(architectures=[hf_class]), hf_class)[0], hf_class)
            )
    return found


def _row(hf_class: str, described: list[tuple[str, Arch]]) -> dict[str, Any]:
    return {
        "class": hf_class,
        "architectures": sorted({arch.name for _, arch in described}),
        "tokenizers": sorted({arch.vocab for _, arch in described}),
        "family": FAMILY.get(hf_class) or FAMILY[described[0][1].hf_class],
        "cases": sorted(name for name, _ in described if name),
    }


if __name__ == "__main__":
    main()
