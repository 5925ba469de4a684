from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ggufpress.errors import LlamaError
from ggufpress.llama import library as opened
from ggufpress.llama.library import VARIABLE, Library, installed, library


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    library.cache_clear()


def test_xllamacpp_is_found_and_opened() -> None:
    assert installed()
    assert library().origin == "xllamacpp"
    assert library().version.startswith("xllamacpp (llama.cpp ")
    assert library() is library()


def test_without_any_a_hint_says_how_to_install_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MODULES", (("no_such_module_here", "*.so"),))
    assert not installed()
    with pytest.raises(LlamaError, match="not installed") as caught:
        library()
    assert caught.value.hint == 'pip install "ggufpress[run]"'


def test_a_variable_names_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(library().path)
    library.cache_clear()
    monkeypatch.setenv(VARIABLE, path)
    assert library().origin == path


def test_what_is_no_library_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libllama.so").write_bytes(b"no library")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "libllama.so"))
    with pytest.raises(LlamaError, match="cannot be opened"):
        library()


def test_a_library_without_the_functions_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(opened.PROTOTYPES, "llama_of_next_year", (None, ()))
    with pytest.raises(LlamaError, match=r"lacks llama\.cpp's function llama_of_next_year"):
        Library(library().path, "this one")


def test_when_ggml_aborts_one_line_says_why() -> None:
    code = """
import ctypes
from ggufpress.llama.library import library
abort = library()._opened.ggml_abort
abort.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
abort(b"file.c", 7, b"a tensor is missing")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: llama.cpp gave up: file.c:7: a tensor is missing\n"
