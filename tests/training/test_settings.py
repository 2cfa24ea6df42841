"""Settings of the loop."""

from __future__ import annotations

import pytest

from spacy_cascade.training.sft import drop_removed_options


def test_options_of_older_versions_have_no_effect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    block = {"max_steps": 3, "schedule": "linear", "replace_from_train": True}
    drop_removed_options(block)
    assert block == {"max_steps": 3}
    assert "[CW19] [finetune] schedule = 'linear' is no option any more" in caplog.text
    assert "replace_from_train" not in caplog.text
