from __future__ import annotations

import pytest

from ggufpress.errors import UsageError
from ggufpress.hub.address import HubAddress, explicit_address, short_address

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("org/name", HubAddress("org/name")),
        ("org/name@v1.0", HubAddress("org/name", "v1.0")),
        ("org/name@refs/pr/3", HubAddress("org/name", "refs/pr/3")),
        ("org/name/model.Q8_0.gguf", HubAddress("org/name", None, "model.Q8_0.gguf")),
        ("org/name@main/sub/model.gguf", HubAddress("org/name", "main", "sub/model.gguf")),
        ("a/b/c", None),
        ("name", None),
        ("./org/name", None),
        ("../org/name", None),
        ("/org/name", None),
        ("~/name", None),
        ("org/na me", None),
        ("org/.name", None),
        ("", None),
    ],
)
def test_short_names(text: str, address: HubAddress | None) -> None:
    assert short_address(text) == address
    assert explicit_address(text) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://org/name", HubAddress("org/name")),
        ("hf://models/org/name", HubAddress("org/name")),
        ("hf://org/name@v1", HubAddress("org/name", "v1")),
        ("HF://org/name@refs/pr/3", HubAddress("org/name", "refs/pr/3")),
        ("hf://org/name@v1/model.gguf", HubAddress("org/name", "v1", "model.gguf")),
        ("hf://gpt2", HubAddress("gpt2")),
        ("https://huggingface.co/org/name", HubAddress("org/name")),
        ("https://huggingface.co/org/name/", HubAddress("org/name")),
        ("https://huggingface.co/gpt2", HubAddress("gpt2")),
        ("http://hf.co/org/name?library=transformers#readme", HubAddress("org/name")),
        ("https://HuggingFace.co/org/name/tree/v1", HubAddress("org/name", "v1")),
        ("https://huggingface.co/org/name/tree/refs%2Fpr%2F3", HubAddress("org/name", "refs/pr/3")),
        ("https://huggingface.co/org/name/tree/refs/pr/3", HubAddress("org/name", "refs/pr/3")),
        (f"https://huggingface.co/org/name/commit/{COMMIT}", HubAddress("org/name", COMMIT)),
        ("https://huggingface.co/org/name/blob/main/model.gguf", HubAddress("org/name", "main", "model.gguf")),
        ("https://huggingface.co/org/name/tree/main/folder", HubAddress("org/name", "main", "folder")),
        ("https://mirror.test/hub/org/name", HubAddress("org/name")),
    ],
)
def test_addresses(text: str, address: HubAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.test/hub")
    assert explicit_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "hf://", "hf://../..", "hf://datasets/org/name", "https://example.com/model.zip", "https://huggingface.co",
        "https://huggingface.co/datasets/org/name", "https://huggingface.co/org/name/discussions/3",
        "https://huggingface.co/spaces/org/name/tree/main", "https://huggingface.co/a/b/c/tree/main", "http://",
    ],
)  # fmt: skip
def test_other_addresses(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        explicit_address(text)
    assert caught.value.hint
