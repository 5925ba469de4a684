"""A chat format: what stands around each message, found by rendering a template with known messages.

A format is believed only where it gives back, character for character, what the template gave for longer conversations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ggufpress.chat.render import Conversation, render

_HALF_A_MARK = re.compile(r"^[^<\s|]+\|>")

SYSTEM, FIRST, ANSWER, SECOND = "SysProbeA", "UserProbeB", "ModelProbeC", "UserProbeD"
"""Words that no template holds, so that they are found again in what it gives."""


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """What stands before and after each message, without the token that begins a text.

    `system_inside`: a system message stands inside the first user message, otherwise before it. `without_system` is what
    stands at the head of a conversation that has none. `has_system` False: the template takes no system message.
    `generation` is what the model's next answer follows.
    """

    user_before: str
    user_after: str
    answer_before: str
    answer_after: str
    generation: str
    without_system: str = ""
    has_system: bool = False
    system_inside: bool = False
    system_before: str = ""
    system_after: str = ""

    def text(self, messages: Sequence[tuple[str, str]], *, answer_next: bool = True) -> str:
        """The conversation as the template would give it, without the token that begins a text."""
        system = next((content for role, content in messages if role == "system"), None)
        whole = "" if system is None else f"{self.system_before}{system}{self.system_after}"
        inside = whole if self.system_inside else ""
        out = [self.without_system if system is None or self.system_inside else whole]
        for role, content in messages:
            if role == "user":
                out.append(f"{self.user_before}{inside}{content}{self.user_after}")
                inside = ""
            elif role == "assistant":
                out.append(f"{self.answer_before}{content}{self.answer_after}")
        return "".join(out) + (self.generation if answer_next else "")

    @property
    def name(self) -> str | None:
        """What the format is usually called, None where it is none of the common ones."""
        return next((name for name, is_one in _COMMON if is_one(self)), None)


def chat_format(template: str, *, bos: str = "", eos: str = "", adds_bos: bool = True) -> ChatFormat | None:
    """The format of a chat template, or None where messages do not simply follow each other in it.

    `adds_bos`: the runtime begins a text with `bos` by itself, so that the format must not.
    """
    user, answer, again, system = ("user", FIRST), ("assistant", ANSWER), ("user", SECOND), ("system", SYSTEM)
    asked = [
        Conversation((user,)),
        Conversation((user,), answer_next=False),
        Conversation((user, answer), answer_next=False),
        Conversation((user, answer, again)),
        Conversation((system, user)),
        Conversation((system, user, answer, again)),
        Conversation((user, answer, again, ("assistant", ANSWER), user)),
    ]
    texts = render(template, asked, bos=bos, eos=eos)
    one, plain, answered, longer, with_system, *_ = texts
    if one is None or longer is None:
        return None
    # some templates end a text that no answer follows, some ignore that none does
    ended = [text.removesuffix(eos) if text and eos else None for text in (plain, answered)]
    tries = ((plain, answered), (ended[0], answered), (ended[0], ended[1]), (None, None))
    found = next((turns for pair in tries if (turns := _turns(one, pair[0], pair[1], longer, bos))), None)
    if found is None:
        return None
    if with_system is not None and SYSTEM in with_system:
        found = _with_system(found, with_system, bos)
    if found is None:
        return None
    begin = bos if bos and one.startswith(bos) else ""
    for conversation, text in zip(asked, texts, strict=True):
        told = any(role == "system" for role, _ in conversation.messages)
        # the flag that no answer follows is one that templates may ignore
        if (conversation.answer_next and text is not None and (found.has_system or not told)) and (
            begin + found.text(conversation.messages) != text
        ):
            return None
    if begin and not adds_bos:
        found = replace(
            found,
            without_system=begin + found.without_system,
            system_before=found.system_before if found.system_inside else begin + found.system_before,
        )
    return found


def _turns(one: str, plain: str | None, answered: str | None, longer: str, bos: str) -> ChatFormat | None:
    """The format without system messages, from four texts; what stands at their head is in `without_system`."""
    if one.count(FIRST) != 1 or any(longer.count(word) != 1 for word in (FIRST, ANSWER, SECOND)):
        return None
    head, end = one.removeprefix(bos).split(FIRST)
    rest = longer.split(FIRST)[1]
    if ANSWER not in rest or SECOND not in rest.split(ANSWER)[1]:
        return None
    between, later = rest.split(ANSWER)
    between_turns = later.split(SECOND)[0]
    after_answer = answered.split(ANSWER)[1] if answered and answered.count(ANSWER) == 1 else ""
    if not between_turns.startswith(after_answer):
        after_answer = ""
    user_before = _HALF_A_MARK.sub("", _common_end(between_turns[len(after_answer) :], head))
    answer_after = between_turns[: len(between_turns) - len(user_before)]
    user_after = plain.split(FIRST)[1] if plain and plain.count(FIRST) == 1 else end
    if not user_before or not end.startswith(user_after) or not between.startswith(user_after):
        return None
    return ChatFormat(
        user_before,
        user_after,
        between[len(user_after) :],
        answer_after,
        end[len(user_after) :],
        without_system=head[: len(head) - len(user_before)],
    )


def _with_system(found: ChatFormat, text: str, bos: str) -> ChatFormat | None:
    """`found` with what stands around a system message, None where that is neither before nor inside the user's."""
    if text.count(SYSTEM) != 1 or text.count(FIRST) != 1 or text.index(SYSTEM) > text.index(FIRST):
        return None
    before, rest = text.split(SYSTEM)
    after = rest.split(FIRST)[0]
    before = before.removeprefix(bos)
    if before.startswith(found.user_before) and not after.endswith(found.user_before):
        before = before[len(found.user_before) :]
        return replace(found, has_system=True, system_inside=True, system_before=before, system_after=after)
    if not after.endswith(found.user_before):
        return None
    after = after[: len(after) - len(found.user_before)]
    return replace(found, has_system=True, system_before=before, system_after=after)


def _common_end(one: str, other: str) -> str:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(reversed(one), reversed(other), strict=False))
    return one[len(one) - sum(1 for _ in same) :]


def _around(
    user_before: str, user_after: str | None = None, generation: str | None = None
) -> Callable[[ChatFormat], bool]:
    def is_one(found: ChatFormat) -> bool:
        return (
            found.user_before.strip() == user_before
            and (user_after is None or found.user_after.strip() == user_after)
            and (generation is None or found.generation.strip() == generation)
        )

    return is_one


_COMMON: tuple[tuple[str, Callable[[ChatFormat], bool]], ...] = (
    ("ChatML", _around("<|im_start|>user", "<|im_end|>", "<|im_start|>assistant")),
    ("Llama 3", _around("<|start_header_id|>user<|end_header_id|>")),
    ("Llama 2", lambda found: _around("[INST]", "[/INST]")(found) and "<<SYS>>" in found.system_before),
    ("Mistral", _around("[INST]", "[/INST]")),
    ("Gemma", _around("<start_of_turn>user", "<end_of_turn>", "<start_of_turn>model")),
    ("Phi-3", _around("<|user|>", "<|end|>", "<|assistant|>")),
    ("Phi-4", _around("<|im_start|>user<|im_sep|>")),
    ("Zephyr", _around("<|user|>", "</s>", "<|assistant|>")),
    ("Vicuna", _around("USER:", None, "ASSISTANT:")),
    ("Alpaca", _around("### Instruction:", None, "### Response:")),
    ("DeepSeek", _around("<｜User｜>", "", "<｜Assistant｜>")),
    ("Command-R", _around("<|START_OF_TURN_TOKEN|><|USER_TOKEN|>")),
    ("Granite", _around("<|start_of_role|>user<|end_of_role|>")),
)
"""Formats with a name, by what stands around a user's message."""
