from __future__ import annotations

import json

import pytest

from ggufpress.chat.format import ChatFormat, chat_format
from ggufpress.chat.ollama import go_template, modelfile, params, stop_words
from tests.chat.go_text import go_text
from tests.chat.modelfile_grammar import commands
from tests.chat.templates import CHATML, CHATML_WITH_DEFAULT, GEMMA, LLAMA2, LLAMA3, OWN, STYLES, VICUNA

TALK = (("user", "One?"), ("assistant", "Two."), ("user", "Three?"))


def formatted(template: str) -> ChatFormat:
    found = chat_format(template, bos="<s>", eos="</s>")
    assert found is not None
    return found


@pytest.mark.parametrize("template", [*STYLES.values(), CHATML_WITH_DEFAULT, OWN])
def test_the_go_template_gives_what_the_format_gives(template: str) -> None:
    found = formatted(template)
    talks = [TALK, TALK[:1], (("system", "Be brief."), *TALK)] if found.has_system else [TALK, TALK[:1]]
    for talk in talks:
        assert go_text(go_template(found), talk) == found.text(talk)


def test_a_system_message_is_not_lost_where_the_template_knows_none() -> None:
    text = go_text(go_template(formatted(GEMMA)), (("system", "Be brief."), *TALK))
    assert text.startswith("<start_of_turn>user\nBe brief.\n\nOne?<end_of_turn>\n")


def test_stop_words_are_what_ends_an_answer_or_begins_a_turn() -> None:
    assert stop_words(formatted(CHATML), ["<|im_end|>"]) == ("<|im_end|>", "<|im_start|>")
    assert stop_words(formatted(LLAMA3), ["<|eot_id|>"]) == ("<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")
    assert stop_words(formatted(LLAMA2)) == ("</s>", "<s>", "[INST]")
    assert stop_words(formatted(VICUNA), [""]) == ("</s>",)
    assert stop_words(ChatFormat("Q: ", "\n", "A: ", "\n", "A:")) == ("Q:",)


@pytest.mark.parametrize("template", [*STYLES.values(), OWN])
def test_a_modelfile_follows_the_grammar(template: str) -> None:
    found = formatted(template)
    stop = stop_words(found, ["</s>", 'say "stop"', "\nUser: "])
    text = modelfile("a-Q8_0.gguf", go_template(found), stop, {"temperature": 0.7, "top_k": 40, "mirostat": 2})
    assert commands(text) == [
        ("from", "./a-Q8_0.gguf"),
        ("template", go_template(found)),
        *(("parameter stop", word) for word in stop),
        ("parameter temperature", "0.7"),
        ("parameter top_k", "40"),
    ]


def test_a_modelfile_leaves_out_what_the_grammar_cannot_hold() -> None:
    assert commands(modelfile("a.gguf", 'say """this"""', ["\x07"])) == [("from", "./a.gguf")]
    assert commands(modelfile("a.gguf", None, [])) == [("from", "./a.gguf")]
    with pytest.raises(AssertionError):
        commands('FROM a\nTEMPLATE """never closed\n')


def test_params_are_json_as_the_hub_reads_it() -> None:
    assert json.loads(params(["<|im_end|>"], {"top_p": 0.9})) == {"stop": ["<|im_end|>"], "top_p": 0.9}
