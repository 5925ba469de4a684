"""The commands that run a published file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from ggufpress.publish.facts import PublishedFile
from ggufpress.publish.names import is_model, shard_of, tag_of

PREFERRED = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "Q4_0", "MXFP4_MOE")
"""Which type to show first: the one that most want."""


def preferred(files: Sequence[PublishedFile]) -> PublishedFile | None:
    """The file that the examples use."""
    models = [file for file in files if is_model(file.path)]
    by_type = {file.type: file for file in reversed(models)}
    return next((by_type[name] for name in PREFERRED if name in by_type), models[0] if models else None)


def llama_cpp(repo: str, file: PublishedFile, paths: Sequence[str]) -> str:
    """A command of llama.cpp: by the tag, or by the file's name where the tag would lead to another."""
    tag = tag_of(file.path, paths)
    return f"llama-cli -hf {repo}:{tag}" if tag else f"llama-cli --hf-repo {repo} --hf-file {shlex.quote(file.path)}"


def llama_cpp_python(repo: str, file: PublishedFile) -> str:
    """The lines of Python that load the file."""
    names = {"repo_id": repo, "filename": file.path}
    arguments = [f"{key}={json.dumps(name, ensure_ascii=False)}" for key, name in names.items()]
    if len(file.parts) > 1:
        arguments.append(f"additional_files={json.dumps([part.path for part in file.parts[1:]], ensure_ascii=False)}")
    return f"from llama_cpp import Llama\nllm = Llama.from_pretrained({', '.join(arguments)})\n"


def ollama(repo: str, file: PublishedFile, paths: Sequence[str]) -> str | None:
    """A command of Ollama, None for shards, which it does not load."""
    if shard_of(file.path):
        return None
    return f"ollama run {shlex.quote(f'hf.co/{repo}:{tag_of(file.path, paths) or file.path}')}"


def three_commands(repo: str, files: Sequence[PublishedFile], paths: Sequence[str]) -> list[tuple[str, str]]:
    """(program, command for a shell) for the preferred file; Ollama is left out where it cannot load it."""
    file = preferred(files)
    if file is None:
        return []
    load = "; ".join(llama_cpp_python(repo, file).splitlines())
    python = f"""{load}; print(llm("Hello")["choices"][0]["text"])"""
    found = [
        ("llama.cpp", llama_cpp(repo, file, paths)),
        ("llama-cpp-python", f"python -c {shlex.quote(python)}"),
        ("Ollama", ollama(repo, file, paths)),
    ]
    return [(program, command) for program, command in found if command]
