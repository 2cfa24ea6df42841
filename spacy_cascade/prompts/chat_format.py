"""The chat format of a model: the token ids that stand around what is said in a turn.

Models without a chat format get the system prompt, a blank line and the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, cast
from weakref import WeakKeyDictionary

from ..decoding.native import Vocabulary
from ..errors import CascadeError, Errors
from ..types import CausalLM

SYSTEM = "You are a helpful assistant."
_HOLE = "CASCADE-USER-TURN"


class ChatTokenizer(Protocol):
    """What is read of a Hugging Face tokenizer."""

    chat_template: str | None
    bos_token_id: int | None
    eos_token_id: int | None
    added_tokens_decoder: Mapping[int, object]

    def apply_chat_template(
        self,
        conversation: Sequence[Mapping[str, str]],
        *,
        tokenize: bool,
        add_generation_prompt: bool = False,
    ) -> str:
        """A conversation in the model's format."""


class _ChatLM(CausalLM, Protocol):
    tokenizer: ChatTokenizer


class ChatFrame(NamedTuple):
    """What stands around the user's turn.

    head (list[int]): Token ids before it.
    tail (list[int]): Token ids behind it, up to where the answer begins.
    end (int): Id of the token that ends the answer.
    """

    head: list[int]
    tail: list[int]
    end: int


# The keys are weak, since a model must go when its pipeline does.
_vocabularies: WeakKeyDictionary[CausalLM, Vocabulary] = WeakKeyDictionary()
_frames: WeakKeyDictionary[CausalLM, dict[str, ChatFrame]] = WeakKeyDictionary()


def vocabulary(lm: CausalLM) -> Vocabulary:
    """The byte table of a model's tokenizer, built once."""
    found = _vocabularies.get(lm)
    if found is None:
        found = Vocabulary(lm.token_bytes())
        _vocabularies[lm] = found
    return found


def tokenizer_of(lm: CausalLM) -> ChatTokenizer:
    """The tokenizer of a model that has one."""
    return cast(_ChatLM, lm).tokenizer


def frame(lm: CausalLM, system: str) -> ChatFrame:
    """What stands around the user's turn.

    system (str): The system prompt.
    RAISES CascadeError: C015 if the tokenizer has no token to end a turn with.
    """
    known = _frames.setdefault(lm, {})
    if system not in known:
        known[system] = _frame(lm, system)
    return known[system]


def turn(lm: CausalLM, system: str, user: str) -> list[int]:
    """Token ids up to where the answer to a user's turn begins."""
    around = frame(lm, system)
    return [*around.head, *lm.encode(user), *around.tail]


def shown(lm: CausalLM, system: str, shots: Sequence[tuple[str, str]]) -> list[int]:
    """Token ids up to the user's turn, behind questions with their answers.

    What they say is never read as a control token.

    shots (Sequence): (question, answer) pairs.
    """
    if not shots:
        return frame(lm, system).head

    tokenizer = tokenizer_of(lm)
    if _has_format(tokenizer):
        *parts, _ = _conversation(tokenizer, system, len(shots)).split(_HOLE)
    else:
        parts = [f"{system}\n\n", *["\n", "\n\n"] * len(shots)]

    first, *others = parts
    ids = list(lm.encode(first, control=True))
    said = itertools.chain.from_iterable(shots)
    for text, part in zip(said, others, strict=True):
        ids += lm.encode(text)
        ids += lm.encode(part, control=True)
    return ids


def end_of_sequence(lm: CausalLM) -> int:
    """RAISES CascadeError: C015 if the tokenizer has no such token."""
    end = tokenizer_of(lm).eos_token_id
    if end is None:
        raise CascadeError(
            Errors.C015.format(
                path=lm.name, what="an end-of-sequence token", needed="eos_token"
            )
        )
    return int(end)


def _has_format(tokenizer: ChatTokenizer) -> bool:
    return bool(getattr(tokenizer, "chat_template", None))


def _frame(lm: CausalLM, system: str) -> ChatFrame:
    tokenizer = tokenizer_of(lm)
    end = _end_of_turn(lm)
    if end is None:
        end = end_of_sequence(lm)

    if _has_format(tokenizer):
        head, tail = _conversation(tokenizer, system).split(_HOLE)
    else:
        head, tail = f"{system}\n\n", "\n"
    return ChatFrame(lm.encode(head, control=True), lm.encode(tail, control=True), end)


def _end_of_turn(lm: CausalLM) -> int | None:
    """What ends an answer. In some chat formats (Gemma's, Qwen's with a base model) it
    is not the token that ends a sequence.
    """
    tokenizer = tokenizer_of(lm)
    if not _has_format(tokenizer):
        return None

    question = {"role": "user", "content": "?"}
    answer = {"role": "assistant", "content": _HOLE}
    written = tokenizer.apply_chat_template([question, answer], tokenize=False)
    behind = written.split(_HOLE)[-1]
    ids = lm.encode(behind, control=True)
    if ids and ids[0] in tokenizer.added_tokens_decoder:
        return int(ids[0])
    return None


def _conversation(tokenizer: ChatTokenizer, system: str, shots: int = 0) -> str:
    """A conversation in the model's own format, with holes for what is said in it.

    shots (int): Questions with their answers that are shown before the user's text.
    """
    from jinja2 import TemplateError  # it comes with transformers

    roles = [*["user", "assistant"] * shots, "user"]
    turns = [{"role": role, "content": _HOLE} for role in roles]
    first = {"role": "system", "content": system}
    try:
        written = tokenizer.apply_chat_template(
            [first, *turns], tokenize=False, add_generation_prompt=True
        )
    except TemplateError:  # formats without a system turn (Gemma's, for one) refuse it
        turns[0] = {"role": "user", "content": f"{system}\n\n{_HOLE}"}
        written = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
    return str(written)
