"""What components have in common that ask about one window of a Doc after the other."""

from __future__ import annotations

from collections.abc import Callable

from spacy.tokens import Doc

from ..errors import CascadeError, Errors
from .component import LMPipe
from .settings import NATURAL, SHARE, WINDOW, Setting, flag, one_of
from .windows import MODES, Cut, check_settings, cut


class WindowedPipe(LMPipe):
    """A component that cuts Docs into windows.

    window (str): How a text is cut. "sents": by sentences. "stride": by overlapping
        strides. "auto": by sentences where the Doc has them.
    max_tokens (int): Most model tokens of a window's text.
    overlap (int): Most model tokens that neighbouring strides share.
    annotate_ents (bool): Whether to write `doc.ents`.
    score_threshold (float): Mentions with a lower `cascade_score` stay in
        `doc.spans["cascade"]`, but do not enter `doc.ents`.
    overwrite_ents (bool): Whether to replace entities of other components.
    """

    window = Setting(one_of(MODES), "auto")
    max_tokens = Setting(WINDOW, 256)
    overlap = Setting(NATURAL, 64)
    annotate_ents = Setting(flag, True)
    score_threshold = Setting(SHARE, 0.0)
    overwrite_ents = Setting(flag, False)

    def check_settings(self) -> None:
        """See `LMPipe.check_settings`."""
        super().check_settings()
        check_settings(self.window, self.max_tokens, self.overlap)

    def _cut_to_fit(
        self,
        doc: Doc,
        *,
        overhead: int,
        spread: int,
        cost: Callable[[str], int],
        names: tuple[str, ...],
        labels: tuple[str, ...] = (),
    ) -> Cut:
        """Windows of a Doc whose prompts and answers fit the model.

        overhead (int): Model tokens of prompt and answer without the text.
        spread (int): Most model tokens of both, for each one of the text.
        cost (Callable): Model tokens of a piece of text.
        names (tuple): The types that the prompt names, for the message.
        labels (tuple): The types that units are read for.
        RAISES CascadeError: C050 if the prompt leaves no room for a text.
        """
        longest = self.lm.max_length
        room = (longest - overhead) // spread
        if room < 1:
            message = Errors.C050.format(
                name=self.name, n=len(names), found=overhead, limit=longest
            )
            raise CascadeError(message)

        limit = min(self.max_tokens, room)
        return cut(
            doc,
            mode=self.window,
            limit=limit,
            overlap=min(self.overlap, limit // 2),
            cost=cost,
            labels=labels,
        )
