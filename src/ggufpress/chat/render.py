"""What a checkpoint's chat template makes of messages. The template is untrusted: it runs elsewhere, bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
SECONDS = 60.0
MAX_TEMPLATE = 1 << 20


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages as (role, content). `answer_next`: the model is to speak next."""

    messages: tuple[tuple[str, str], ...]
    answer_next: bool = True


def render(
    template: str, conversations: Sequence[Conversation], *, bos: str = "", eos: str = ""
) -> tuple[str | None, ...]:
    """The text of each conversation, None where the template refuses or fails.

    Runs in a process with no more than some seconds and a gigabyte: a template that loops or swells gives None.
    Source: the settings of transformers' `apply_chat_template`.
    """
    nothing: tuple[None, ...] = (None,) * len(conversations)
    if len(template) > MAX_TEMPLATE:
        return nothing
    asked = {
        "template": template,
        "bos_token": bos,
        "eos_token": eos,
        "conversations": [
            {
                "messages": [{"role": role, "content": content} for role, content in conversation.messages],
                "add_generation_prompt": conversation.answer_next,
            }
            for conversation in conversations
        ],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(CHILD)],
            input=json.dumps(asked).encode("utf-8", "surrogatepass"),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        texts = json.loads(done.stdout) if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return nothing
    good = isinstance(texts, list) and len(texts) == len(conversations)
    return tuple(text if isinstance(text, str) else None for text in texts) if good else nothing
