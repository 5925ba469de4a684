from __future__ import annotations

import pytest

from ggufpress.publish.names import (
    imatrix_path,
    is_model,
    llama_cpp_file,
    ollama_file,
    repository_path,
    shard_of,
    tag_of,
    type_label,
)
from ggufpress.recipe.presets import ALL

REPOSITORY = [f"Model-7B-{preset.name}.gguf" for preset in ALL]


@pytest.mark.parametrize("preset", [preset.name for preset in ALL])
def test_every_type_is_found_by_its_tag(preset: str) -> None:
    path = repository_path("Model-7B.gguf", preset)
    assert path == f"Model-7B-{preset}.gguf"
    assert type_label(path) == preset
    assert llama_cpp_file([path], preset) == path
    assert ollama_file(REPOSITORY, preset.lower()) == path
    # llama.cpp looks for the tag anywhere in a name: BF16 answers to F16 where it comes first
    paths = sorted(REPOSITORY)
    assert (tag_of(path, paths) is None) == (preset == "F16")
    assert llama_cpp_file(paths, "F16") == "Model-7B-BF16.gguf"


def test_names_with_a_type_stay_and_others_get_theirs() -> None:
    assert repository_path("a.Q8_0.gguf", "Q8_0") == "a.Q8_0.gguf"
    assert repository_path("q4_k_m.gguf", "Q4_K_M") == "q4_k_m.gguf"
    assert repository_path("model.gguf", "IQ2_XXS") == "model-IQ2_XXS.gguf"
    assert repository_path("mmproj-model.gguf", "F16") == "mmproj-model.gguf"
    assert type_label("model-F16-UD-Q4_K_XL.gguf") == "UD-Q4_K_XL"
    assert type_label("plain.gguf") is None


def test_shards_stand_in_a_folder_and_the_first_is_found() -> None:
    paths = [repository_path(f"big-{n:05d}-of-00003.gguf", "Q6_K") for n in (1, 2, 3)]
    assert paths[0] == "Q6_K/big-Q6_K-00001-of-00003.gguf"
    assert shard_of(paths[1]) == ("Q6_K/big-Q6_K", 2, 3)
    assert llama_cpp_file(paths[::-1], "q6_k") == paths[0]
    assert ollama_file(paths, "Q6_K") is None
    assert tag_of(paths[0], paths) == "Q6_K"


def test_what_is_no_model_is_not_found() -> None:
    paths = ["a-imatrix-Q8_0.gguf", "mmproj-Q8_0.gguf", "a-Q8_0.bin", "mtp-a-Q8_0.gguf"]
    assert not any(is_model(path) for path in paths)
    assert llama_cpp_file(paths, "Q8_0") is None
    assert imatrix_path("imatrix.gguf", "a") == "imatrix.gguf"
    assert imatrix_path("calibration.dat", "a") == "a-imatrix.dat"
    assert imatrix_path("imatrix-Q8_0", "a") == "a-imatrix.dat"
