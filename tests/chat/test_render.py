from __future__ import annotations

import time

import pytest

from ggufpress.chat.render import MAX_TEMPLATE, Conversation, render
from tests.chat.templates import CHATML

HELLO = Conversation((("user", "hello"),))


def test_a_template_is_rendered_as_tokenizers_render_it() -> None:
    quiet = Conversation(HELLO.messages, answer_next=False)
    assert render(CHATML, [HELLO, quiet]) == (
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>user\nhello<|im_end|>\n",
    )
    tags = "{{ bos_token }}\n{% generation %}\n  {{ messages[0].content | tojson }}{% endgeneration %}{{ eos_token }}"
    assert render(tags, [HELLO], bos="<s>", eos="</s>") == ('<s>\n  "hello"</s>',)


def test_what_a_template_refuses_is_none_and_the_others_are_there() -> None:
    picky = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}yes"
    assert render(picky, [Conversation((("system", "s"),)), HELLO]) == (None, "yes")


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set x = 'ab' * 9999999999 %}{{ x }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ '%1000000000d' % 1 }}",
        "{% include 'x' %}",
        "{% if %}",
        "{{ undefined.attribute.of.nothing }}",
        "x" * (MAX_TEMPLATE + 1),
        "{% for a in range(99999) %}{{ 'much text' }}{% endfor %}",
    ],
)
def test_a_hostile_or_broken_template_gives_nothing_and_costs_little(template: str) -> None:
    started = time.monotonic()
    assert render(template, [HELLO]) == (None,)
    assert time.monotonic() - started < 50
