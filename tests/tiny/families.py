"""Tiny checkpoints of the families beside Llama, by room. Each case exists to reach a rule of its family."""

from __future__ import annotations

from tests.tiny import (
    dense,
    encoders,
    experts,
    gemmas,
    hybrids,
    more_dense,
    newer_experts,
    newest,
    runnable,
    uncommon,
    vision,
)
from tests.tiny_checkpoints import TinyCase

ROOMS: dict[str, list[TinyCase]] = {
    "dense": dense.CASES,
    "gemmas": gemmas.CASES,
    "experts": experts.CASES + newer_experts.CASES,
    "hybrids": hybrids.CASES,
    "more_dense": more_dense.CASES,
    "newest": newest.CASES,
    "uncommon": uncommon.CASES,
    "vision": vision.CASES,
    "encoders": encoders.CASES,
    "runnable": runnable.CASES,
}
"""Cases by room; the digests of a room are in tests/data/expected/families/ROOM.json.xz."""

UNRECORDED = {case.name: case for case in runnable.NOT_RECORDED}
FAMILY_CASES = {case.name: case for cases in ROOMS.values() for case in cases}
