"""Rotary position embeddings: the `rope_*` keys of a config and the frequency factors of Llama 3.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (TextModel) and conversion/llama.py.
"""

from __future__ import annotations

import math

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.torch_pow import torch_pow
from ggufpress.gguf.values import Value, ValueType, array, f32, text, u32

THETA_KEYS = ("global_rope_theta", "rope_global_theta", "rope_theta_global", "rope_theta", "rotary_emb_base")
LOCAL_THETA_KEYS = (
    "local_rope_theta", "rope_local_theta", "rope_theta_local", "swa_rope_theta", "rope_local_base_freq",
)  # fmt: skip


def rope_parameters(config: Config) -> Config:
    """The rope parameters of a model: its `rope_parameters` or `rope_scaling`, with top-level keys filled in.

    Configs of transformers 5 may hold one section per kind of attention; the one for full attention is returned.
    """
    values = {}
    path = f"{config.path}: rope_scaling"
    if (section := config.section("rope_parameters", "rope_scaling")) is not None:
        if (full := section.section("full_attention")) is not None:
            return full
        values, path = dict(section.values), section.path
    mirrored = {"rope_theta": THETA_KEYS, "rope_type": (), "original_max_position_embeddings": ()}
    for key, aliases in mirrored.items():
        value = values.get("type") if key == "rope_type" else config.find(*aliases or (key,))
        if value is not None:
            values.setdefault(key, value)
    return Config(values, path)


def local_theta(config: Config) -> float | None:
    """The base frequency of the layers with sliding-window attention, where it has one of its own."""
    section = config.section("rope_parameters", "rope_scaling")
    if section is not None and (sliding := section.section("sliding_attention")) is not None:
        return sliding.optional_number("rope_theta")
    if section is not None and section.section("full_attention") is not None:
        return None
    return config.optional_number(*LOCAL_THETA_KEYS)


def rope_metadata(config: Config, arch: str) -> list[tuple[str, Value]]:
    """The `{arch}.rope.*` keys for scaling and base frequency, in file order."""
    rope = rope_parameters(config)
    keys: list[tuple[str, Value]] = []
    kind = rope.optional_text("rope_type")
    factor = rope.optional_number("factor")
    if kind in ("linear", "yarn") and factor is not None:
        keys += [(f"{arch}.rope.scaling.type", text(kind)), (f"{arch}.rope.scaling.factor", f32(factor))]
    if kind == "yarn" and factor is not None:
        original = rope.integer("original_max_position_embeddings")
        keys.append((f"{arch}.rope.scaling.original_context_length", u32(original)))
        for name, aliases in (
            ("yarn_ext_factor", ("extrapolation_factor",)),
            ("yarn_attn_factor", ("attention_factor", "attn_factor")),
            ("yarn_beta_fast", ("beta_fast",)),
            ("yarn_beta_slow", ("beta_slow",)),
        ):
            if (value := rope.optional_number(*aliases)) is not None:
                keys.append((f"{arch}.rope.scaling.{name}", f32(value)))
    if kind in ("su", "longrope"):
        keys.append((f"{arch}.rope.scaling.type", text("longrope")))
    section = config.section("rope_parameters", "rope_scaling")
    if section is not None and "mrope_section" in section.values:
        keys.append((f"{arch}.rope.dimension_sections", array(ValueType.INT32, mrope_section(section))))
    if (theta := rope.optional_number("rope_theta")) is not None:
        keys.append((f"{arch}.rope.freq_base", f32(theta)))
    if (theta := local_theta(config)) is not None:
        keys.append((f"{arch}.rope.freq_base_swa", f32(theta)))
    return keys


def mrope_section(rope: Config, key: str = "mrope_section") -> tuple[int, ...]:
    """How many pairs of dimensions turn with time, height, width and a fourth axis. Raises ConfigError for no integers."""
    sizes = rope.find(key)
    if not isinstance(sizes, list) or not all(type(size) is int and 0 <= size < 1 << 31 for size in sizes):
        raise rope.wrong((key,), "a list of at most four integers")
    return (*sizes, 0, 0, 0, 0)[:4]


def rotary_share(config: Config) -> float | None:
    """The part of each head that is rotated, None where the config does not say."""
    share = rope_parameters(config).optional_number("partial_rotary_factor")
    return config.optional_number("partial_rotary_factor", "rope_pct", "rope_percent") if share is None else share


def long_short_factors(config: Config, rotated: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The divisors of LongRoPE for long and for short texts, one per pair of `rotated` dimensions; None without any."""
    rope = rope_parameters(config)
    if not rope.find("long_factor") and not rope.find("short_factor"):
        return None
    found = []
    for key in ("long_factor", "short_factor"):
        values = rope.find(key)
        if not isinstance(values, list) or len(values) * 2 != rotated:
            raise rope.wrong((key,), f"a list of {rotated // 2} numbers")
        if not all(type(x) in (int, float) and abs(x) < 3e38 for x in values):
            raise rope.wrong((key,), f"a list of {rotated // 2} numbers")
        found.append(tuple(float(x) for x in values))
    return found[0], found[1]


def llama3_factors(config: Config, head_dim: int, default_factor: float = 8.0) -> tuple[float, ...] | None:
    """The divisors of the rotary frequencies under Llama 3's scaling, one per pair of dimensions, else None.

    High frequencies keep 1, low ones get `factor`, those between are interpolated, in float32 as torch does it.
    """
    rope = rope_parameters(config)
    if (rope.optional_text("rope_type") or "").lower() != "llama3":
        return None
    base = _number(rope, "rope_theta", 10000.0)
    factor = _number(rope, "factor", default_factor)
    low = _number(rope, "low_freq_factor", 1.0)
    high = _number(rope, "high_freq_factor", 4.0)
    old_context = _number(rope, "original_max_position_embeddings", 8192)
    if not (base > 0 and factor > 0 and low > 0 and high > 0) or low == high:
        raise rope.wrong(("factor",), "positive scaling parameters with different low_freq_factor and high_freq_factor")

    one = np.float32(1)
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    # what overflows or is no number is either not taken below or refused at the end
    with np.errstate(all="ignore"):
        frequencies = one / torch_pow(base, exponents)
        # torch divides a number by a tensor as number * (1 / tensor)
        wavelengths = (one / frequencies) * np.float32(2 * math.pi)
        smooth = ((one / wavelengths) * np.float32(old_context) - np.float32(low)) / np.float32(high - low)
        between = one / ((one - smooth) / np.float32(factor) + smooth)
        factors = np.where(wavelengths > np.float32(old_context / low), np.float32(factor), between)
        factors = np.where(wavelengths < np.float32(old_context / high), one, factors)
    if not np.isfinite(factors).all():
        raise rope.wrong(("factor",), "scaling parameters whose divisors float32 can hold")
    return tuple(float(x) for x in factors)


def _number(rope: Config, key: str, default: float) -> float:
    value = rope.optional_number(key)
    return default if value is None else value
