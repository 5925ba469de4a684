from __future__ import annotations

from dataclasses import replace

import pytest

from ggufpress.chat.format import ChatFormat, chat_format
from ggufpress.chat.render import Conversation, render
from tests.chat.templates import CHATML, CHATML_WITH_DEFAULT, GEMMA, LLAMA2, LLAMA3, OWN, STYLES, VICUNA

BOS, EOS = "<s>", "</s>"
TALK = (("user", "One?"), ("assistant", "Two."), ("user", "Three?"), ("assistant", "Four."), ("user", "Five?"))


def formatted(template: str) -> ChatFormat:
    found = chat_format(template, bos=BOS, eos=EOS)
    assert found is not None
    return found


@pytest.mark.parametrize("name", STYLES)
def test_common_formats_are_known_by_their_structure(name: str) -> None:
    assert formatted(STYLES[name]).name == name


@pytest.mark.parametrize("template", [*STYLES.values(), CHATML_WITH_DEFAULT, OWN])
def test_a_format_gives_what_the_template_gives(template: str) -> None:
    found = formatted(template)
    talks = [TALK, TALK[:1], (("system", "Be brief."), *TALK)]
    for talk, text in zip(
        talks, render(template, [Conversation(talk) for talk in talks], bos=BOS, eos=EOS), strict=True
    ):
        if text is not None:
            assert found.text(talk) == text.removeprefix(BOS)


def test_the_parts_are_where_they_belong() -> None:
    assert formatted(CHATML) == ChatFormat(
        "<|im_start|>user\n", "<|im_end|>\n", "<|im_start|>assistant\n", "<|im_end|>\n", "<|im_start|>assistant\n",
        "", True, False, "<|im_start|>system\n", "<|im_end|>\n",
    )  # fmt: skip
    assert formatted(CHATML_WITH_DEFAULT).without_system == "<|im_start|>system\nYou are kind.<|im_end|>\n"
    llama = formatted(LLAMA2)
    assert (llama.system_inside, llama.system_before, llama.system_after) == (True, "<<SYS>>\n", "\n<</SYS>>\n\n")
    assert (llama.user_before, llama.answer_after) == ("[INST] ", " </s><s>")
    assert not formatted(GEMMA).has_system
    assert formatted(VICUNA).without_system == "A chat. "


def test_the_first_token_is_part_of_the_format_where_the_runtime_does_not_add_it() -> None:
    found = chat_format(LLAMA3, bos=BOS, eos=EOS, adds_bos=False)
    assert found is not None
    assert (found.without_system, found.system_before[:4]) == (BOS, "<s><")
    assert replace(found, without_system="", system_before=found.system_before[3:]) == formatted(LLAMA3)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{{ messages | length }}",
        "{% for m in messages %}{{ m.content }}{% endfor %}",
        "{% for m in messages | reverse %}[{{ m.role }}]{{ m.content }}{% endfor %}",
        "{% for m in messages %}[{{ m.role }}{{ loop.index }}]{{ m.content }}{% endfor %}",
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|{{ m.content }}|>{% endfor %}",
        "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }};{% if loop.last %}"
        "{{ messages[0].content if messages[0].role == 'system' }}{% endif %}{% endif %}{% endfor %}",
    ],
)
def test_what_is_no_sequence_of_messages_has_no_format(template: str) -> None:
    assert chat_format(template, bos=BOS, eos=EOS) is None
