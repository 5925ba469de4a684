"""Pushes under a storm of faults: the repository is complete or as it was, whatever happens on the way."""

from __future__ import annotations

import hashlib

import pytest

from ggufpress.errors import GgufpressError
from ggufpress.publish.describing import LocalModel
from tests.hubserver.faults import (
    CutUpload,
    Drop,
    ExpiredUrl,
    LostReply,
    Reset,
    SpoilUpload,
    Status,
    Truncate,
    WrongBytes,
)
from tests.publish.conftest import REPO, TOKEN, World

STORM = (
    Status(429, {"Retry-After": "0"}), Status(500), Status(502), Status(503), Reset(), LostReply(), CutUpload(500),
    SpoilUpload(9), ExpiredUrl(), Truncate(7), Drop(11), WrongBytes(5),
)  # fmt: skip


def storm(world: World, seed: int) -> bool:
    """One push under a storm of faults; whether it came through."""
    before = world.files()
    models = world.models("Q8_0", "F16") if seed % 2 else world.models("Q8_0")
    rate = (0.05, 0.15, 0.3)[seed % 3]
    world.limit = 1.0
    world.hub.faults.storm(r"", seed, rate, STORM)
    as_pull = seed % 5 == 4 and REPO in world.hub.store.repositories
    failure = failed_push(world, models, as_pull)
    world.hub.faults.clear()
    after = world.files()
    if as_pull:
        assert after == before
        return failure is None
    changed = {path for path in after.keys() | before.keys() if before.get(path) != after.get(path)} - {
        ".gitattributes"
    }
    there = world.complete(models, after) if changed or failure is None else False
    assert there or (failure is not None and not changed), changed
    world.push(models)
    assert world.complete(models, world.files())
    for model in models:
        for path, file in zip(model.paths, model.files, strict=True):
            stated = world.hub.store.repositories[REPO].find("main")
            assert stated
            assert stated.files[path].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    return failure is None


def failed_push(world: World, models: tuple[LocalModel, ...], create_pr: bool) -> GgufpressError | None:
    """The error of a push, which is kind and tells no secret; None where it came through."""
    try:
        world.push(models, create_pr=create_pr)
    except GgufpressError as error:
        return told(error)
    return None


def told(error: GgufpressError) -> GgufpressError:
    """The error, which is kind and tells no secret."""
    assert error.hint
    assert TOKEN not in f"{error} {error.hint}"
    return error


def test_a_storm_leaves_all_or_nothing(world: World) -> None:
    outcomes = []
    for seed in range(12):
        if seed % 3 == 0:
            world.hub.store.repositories.clear()
            world.hub.store.objects.clear()
        outcomes.append(storm(world, seed))
    assert True in outcomes


@pytest.mark.full
def test_many_storms_leave_all_or_nothing(world: World) -> None:
    outcomes = []
    for seed in range(100, 300):
        if seed % 4 == 0:
            world.hub.store.repositories.clear()
            world.hub.store.objects.clear()
        outcomes.append(storm(world, seed))
    assert {True, False} == set(outcomes)
