"""Tiny checkpoints that transformers itself makes and saves, with weights that make every rule count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny_checkpoints import TinyCase, tokenizer_files


def make_model(case: TinyCase, changes: dict[str, Any], folder: Path, auto_class: str = "AutoModelForCausalLM") -> Any:
    """The model of the case's config with `changes`, as saved into `folder` with the case's tokenizer.

    The weights are so large that attention is far from even: with those of a fresh model a wrong rotation would hide.
    """
    import torch
    import transformers

    folder.mkdir()
    text = json.dumps(case.config | changes)
    (folder / "config.json").write_text(text)
    for name, content in tokenizer_files(case.tokenizer):
        (folder / name).write_bytes(content)
    for name, content in case.files.items():
        # without the files that say how tokens' embeddings are pooled to one
        if name.startswith(("tokenizer", "added_tokens")):
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    config = transformers.AutoConfig.from_pretrained(folder)
    if hasattr(config, "use_mamba_kernels"):
        config.use_mamba_kernels = False
    make = getattr(transformers, auto_class).from_config
    torch.manual_seed(20261124)
    model = make(config, attn_implementation="eager", dtype=torch.float32).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            _fill(name, weight, torch)
        for name, buffer in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                buffer.normal_(0, 0.1)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(text)
    return model


def _fill(name: str, weight: Any, torch: Any) -> None:
    """Matrices that keep the size of what they multiply; other values stay near those of a fresh model."""
    if weight.dim() == 1:
        weight.add_(torch.randn_like(weight), alpha=0.1)
    elif "embed" in name or "wte" in name:
        weight.normal_(0, 0.5)
    elif not name.endswith("A_log"):
        weight.normal_(0, weight.shape[-1] ** -0.5)
