"""DeepSeek's compressed attention with layers that predict further tokens: GLM 4.7 Flash, GLM 5, DeepSeek V3.2.

How the checkpoint differs from the GGUF layout, besides what deepseek_mla.py says:

1. Layers behind those of the model are kept, and counted as blocks. A config may speak of them where the checkpoint has
   none; then the file is that of `--no-mtp`.
2. GLM 5 and DeepSeek V3.2 choose what to attend to by an indexer; its projection of the scores is always F32. GLM 5 has
   one in some layers only (indexer_types).
3. The part of a head that GLM 5 rotates is scaled by partial_rotary_factor.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/glm.py (Glm4MoeLiteModel, GlmMoeDsaModel), conversion/deepseek.py
(DeepseekV32Model). transformers 4.57.6 has no class for any of them: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count
from ggufpress.arch.families.deepseek_mla import mla_model
from ggufpress.arch.later_layers import n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, linear, sizes
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import flags
from ggufpress.gguf.values import u32

NAMES = {
    "Glm4MoeLiteForCausalLM": "deepseek2",
    "GlmMoeDsaForCausalLM": "glm-dsa",
    "DeepseekV32ForCausalLM": "deepseek32",
}
CLASSES = tuple(NAMES)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of such a model. Raises ConfigError for a config that does not make sense."""
    name, n_main = NAMES[hf_class], block_count(config)
    later = n_later(config, n_main)
    arch = mla_model(config, hf_class, name, n_main + (later or 0))
    s = sizes(config.without("head_dim"))
    keys = dict(arch.metadata)
    if name == "glm-dsa":
        share = rotary_share(config)
        rotated = config.integer("qk_rope_head_dim") * (1.0 if share is None else share)
        keys["glm-dsa.rope.dimension_count"] = u32(int(rotated))
    if later or (later is not None and name != "deepseek2"):
        keys[f"{name}.nextn_predict_layers"] = u32(later)
    rules = (*arch.rules, *prediction(s, range(n_main, arch.n_layer)))
    if name != "deepseek2":
        for key, source in (("head_count", "index_n_heads"), ("key_length", "index_head_dim"), ("top_k", "index_topk")):
            keys[f"{name}.attention.indexer.{key}"] = u32(config.integer(source))
        rules = (*rules, *indexer(config, s, required=config.find("indexer_types") is None))
    if name == "glm-dsa" and (kinds := config.find("indexer_types")) is not None:
        if not isinstance(kinds, list):
            raise config.wrong(("indexer_types",), "a list with the kind of each layer")
        keys["glm-dsa.attention.indexer.types"] = flags(tuple(kind == "full" for kind in kinds))
    vocab = "bpe" if name == "deepseek32" else "glm"
    return replace(arch, vocab=vocab, metadata=tuple(keys.items()), rules=rules)


def indexer(config: Config, s: Sizes, required: bool) -> tuple[Rule, ...]:
    """The small attention that chooses (2)."""
    hf, target = f"{LAYERS}.self_attn.indexer", f"{BLK}.indexer"
    n_head, size, rank = (config.positive(key) for key in ("index_n_heads", "index_head_dim", "q_lora_rank"))
    scores = (n_head, s.n_embd)
    return (
        *linear(f"{target}.attn_q_b", f"{hf}.wq_b", (n_head * size, rank), required=required),
        *linear(f"{target}.attn_k", f"{hf}.wk", (size, s.n_embd), required=required),
        *linear(f"{target}.k_norm", f"{hf}.k_norm", (size,), required=required),
        Rule(f"{target}.proj.weight", f"{hf}.weights_proj.weight", (), scores, required, as_f32=True),
    )
