from __future__ import annotations

from dataclasses import dataclass

import pytest

from ggufpress.llama.chat import Prompt, chat_prompt

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SAID = Prompt("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "chat template")


@dataclass
class Stub:
    """A model of which only the template matters."""

    made: str | None
    known: str | None = None

    def template(self) -> str | None:
        return self.made

    def vocab_fact(self, name: str) -> int:
        return {"bos": 1, "eos": 2}[name]

    def token_text(self, token: int) -> str:
        return {1: "<s>", 2: "</s>"}[token]

    def apply_known_template(self, template: str, prompt: str) -> str | None:
        return self.known


def prompt_of(template: str | None, known: str | None = None) -> Prompt:
    return chat_prompt(Stub(template, known), "Hi")  # type: ignore[arg-type]


def test_a_template_is_rendered() -> None:
    assert prompt_of(CHATML) == SAID
    assert prompt_of("{{ bos_token }}{{ messages[0].content | tojson }}{{ eos_token }}").text == '<s>"Hi"</s>'


def test_blocks_are_trimmed_and_loops_controlled_as_transformers_does_it() -> None:
    assert prompt_of("{% for m in messages %}\n  {% break %}\n{% endfor %}\nend").text == "end"


def test_without_a_template_the_message_stays_as_it_is() -> None:
    assert prompt_of(None) == Prompt("Hi", "plain text")


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('never mind') }}",
        "{% if %}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_no_use(template: str) -> None:
    assert prompt_of(template) == Prompt("Hi", "plain text")
    assert prompt_of(template, "known Hi") == Prompt("known Hi", "known template")
