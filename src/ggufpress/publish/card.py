"""The model card: front matter and text, from facts alone."""

from __future__ import annotations

import re
from typing import Any

from ggufpress.amounts import human_bytes, human_count
from ggufpress.publish.facts import CardFacts, PublishedFile
from ggufpress.publish.names import is_model, tag_of
from ggufpress.publish.run_commands import llama_cpp, llama_cpp_python, ollama, preferred
from ggufpress.recipe.presets import BY_NAME

HUB = "https://huggingface.co"
MANIFEST = "ggufpress.json"
KEPT_TAGS = 20


def front_matter(facts: CardFacts) -> dict[str, Any]:
    """The keys of the card, in order. Source: huggingface.co/docs/hub/model-cards."""
    source = facts.source
    own = [
        tag for tag in source.tags if re.fullmatch(r"[\w.:/+-]{1,60}", tag) and tag not in ("gguf", source.pipeline_tag)
    ]
    tags = ["gguf", *(["imatrix"] if facts.imatrix else []), *(["conversational"] if facts.prompt.has_template else [])]
    return {
        "base_model": source.repo,
        "base_model_relation": "quantized" if source.repo else None,
        "license": source.license,
        "license_name": source.license_name,
        "license_link": source.license_link,
        "language": list(source.languages),
        "library_name": "gguf",
        "pipeline_tag": source.pipeline_tag,
        "quantized_by": facts.repo.split("/")[0],
        "tags": list(dict.fromkeys([*tags, *own[:KEPT_TAGS]])),
    }


def card_text(facts: CardFacts) -> str:
    """The part of README.md that is ours, in Markdown."""
    parts = [_head(facts), _files(facts), _hashes(facts), _running(facts), _prompt(facts), _making(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(facts: CardFacts) -> str:
    source = facts.source
    name = _plain(source.name)
    origin = f"[{source.repo}]({HUB}/{source.repo})" if source.repo else name
    size = f", {human_count(facts.n_params)} weights" if facts.n_params else ""
    context = f", trained for {facts.context:,} tokens of context" if facts.context else ""
    arch = f" ({_plain(facts.arch)}{size}{context})" if facts.arch else ""
    lines = [f"# {name}: GGUF files", f"{origin}{arch} for llama.cpp, llama-cpp-python, Ollama and LM Studio."]
    if source.license or source.license_name:
        stated = source.license_name if source.license in (None, "other") and source.license_name else source.license
        link = f", [its text]({source.license_link})" if _is_url(source.license_link) else ""
        lines.append(f"The licence is the one of the source: **{_plain(str(stated))}**{link}.")
    return "\n\n".join(lines)


def _files(facts: CardFacts) -> str:
    models = [file for file in facts.files if is_model(file.path)]
    others = [file for file in facts.files if not is_model(file.path)]
    if not facts.files:
        return ""
    measured = [file.kld is not None for file in models], [file.rmse is not None for file in models]
    columns = ["file", "type", "size", "bits per weight"]
    columns += [name for name, has in zip(("KLD", "RMSE"), measured, strict=True) if any(has)]
    lines = [
        f"| {' | '.join([*columns, 'sha256', 'what for'])} |",
        f"|---|---|---:|---:|{'---:|' * (len(columns) - 4)}---|---|",
    ]
    for file in models:
        row = [_link(file), file.type, human_bytes(file.nbytes), f"{file.bpw:.2f}" if file.bpw else ""]
        row += [f"{file.kld:.4f}" if file.kld is not None else ""] if any(measured[0]) else []
        row += [f"{file.rmse:.3g}" if file.rmse is not None else ""] if any(measured[1]) else []
        lines.append(f"| {' | '.join([*row, f'`{file.parts[0].sha256[:12]}`', _advice(file)])} |")
    notes = ["\nRMSE: root mean square error of all weights against the source."] if any(measured[1]) else []
    notes += [f"\nBesides: {', '.join(_link(file) for file in others)}."] if others else []
    return "\n".join(["## Files\n", *lines, *notes])


def _link(file: PublishedFile) -> str:
    shards = f" and {len(file.parts) - 1} more" if len(file.parts) > 1 else ""
    return f"[{file.path}]({file.path}){shards}"


def _advice(file: PublishedFile) -> str:
    preset = BY_NAME.get(file.type)
    return preset.about if preset else ""


def _hashes(facts: CardFacts) -> str:
    lines = [f"{part.sha256}  {part.path}" for file in facts.files for part in file.parts]
    if not lines:
        return ""
    listed = "\n".join(lines)
    return f"<details><summary>sha256, as sha256sum checks them</summary>\n\n```\n{listed}\n```\n\n</details>"


def _running(facts: CardFacts) -> str:
    file = preferred(facts.files)
    if file is None:
        return ""
    models = [other for other in facts.files if is_model(other.path)]
    tags = [tag for other in models if (tag := tag_of(other.path, facts.paths))]
    others = [tag for tag in tags if tag != tag_of(file.path, facts.paths)]
    choice = f" Other types: put {', '.join(f'`{tag}`' for tag in others)} in its place." if others else ""
    hidden = [other for other in models if not tag_of(other.path, facts.paths)]
    if others and hidden:
        named = "; ".join(f"`{llama_cpp(facts.repo, other, facts.paths)}`" for other in hidden)
        choice += f" Where two names answer to one tag, name the file: {named}."
    command = ollama(facts.repo, file, facts.paths)
    lines = [
        f"## How to run\n\nThe examples load {file.type}.{choice}",
        f"[llama.cpp](https://github.com/ggml-org/llama.cpp):\n\n```sh\n{llama_cpp(facts.repo, file, facts.paths)}\n```",
        "[llama-cpp-python](https://github.com/abetlen/llama-cpp-python):\n\n```python\n"
        + llama_cpp_python(facts.repo, file)
        + _python_call(facts)
        + "```",
    ]
    if command:
        local = (
            " Downloaded, with [Modelfile](Modelfile) beside it: `ollama create NAME -f Modelfile`."
            if facts.modelfile
            else ""
        )
        lines.append(f"[Ollama](https://ollama.com):{local}\n\n```sh\n{command}\n```")
    else:
        lines.append("Ollama does not load a model in shards.")
    lines.append(
        f"[LM Studio](https://lmstudio.ai): search for `{facts.repo}`, or\n\n```sh\nlms get {HUB}/{facts.repo}\n```"
    )
    if facts.private:
        lines.append("The repository is private: llama.cpp and llama-cpp-python take a token from `HF_TOKEN`, Ollama wants its "
                     f"key in the [settings]({HUB}/settings/keys).")  # fmt: skip
    return "\n\n".join(lines)


def _python_call(facts: CardFacts) -> str:
    if facts.prompt.has_template:
        return (
            'answer = llm.create_chat_completion([{"role": "user", "content": "Hello!"}])\n'
            'print(answer["choices"][0]["message"]["content"])\n'
        )
    return 'print(llm("Once upon a time", max_tokens=64)["choices"][0]["text"])\n'


def _prompt(facts: CardFacts) -> str:
    prompt = facts.prompt
    if not prompt.has_template:
        return ""
    named = f" ({prompt.format})" if prompt.format else ""
    head = f"## Prompt format{named}\n\nllama.cpp, llama-cpp-python and LM Studio read the chat template in the file."
    if prompt.example is None:
        return head
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", prompt.example)), default=0))
    return f"{head} What it makes:\n\n{fence}\n{prompt.example}\n{fence}"


def _making(facts: CardFacts) -> str:
    made = list(dict.fromkeys(file.made for file in facts.files if file.made))
    revision = f" at revision `{facts.source.revision}`" if facts.source.revision else ""
    lines = ["## How it was made"]
    if made:
        versions = ", ".join(dict.fromkeys(one.version for one in made))
        origin = f", from {facts.source.repo}{revision}" if facts.source.repo else ""
        lines.append(f"ggufpress {versions}{origin}, with the very bytes of llama.cpp's converter and llama-quantize:")
        lines += ["```sh\n" + "\n".join(dict.fromkeys(_plain_line(one.command) for one in made)) + "\n```"]
    if facts.imatrix:
        lines.append(f"Importance matrix: [{facts.imatrix}]({facts.imatrix}).")
    lines.append(f"Sizes, hashes and errors for programs: [{MANIFEST}]({MANIFEST}).")
    return "\n\n".join(lines)


def _is_url(text: str | None) -> bool:
    return bool(text and re.fullmatch(r"https?://[^\s()<>\"']+", text))


def _plain(text: str) -> str:
    """One line of text that is no Markdown and no HTML, however it was meant."""
    return (
        re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", _plain_line(text))
        if re.search(r"[\\`*\[\]<>|#]", text)
        else _plain_line(text)
    )


def _plain_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).replace("```", "").split())
