"""Parts that the tests share: texts, tiny pipelines, gold examples, models, and one that
follows a script.
"""

from __future__ import annotations

from .jobs import (
    decode_batched,
    marked_text,
    native_jobs,
    segment_jobs,
    written_bytes,
    written_segments,
)
from .models import load_private, random_lm, steps
from .pipelines import (
    SHARED,
    blank,
    cascade,
    entities,
    example,
    examples,
    labels_config,
    model_config,
    scores,
    segments,
    spans,
    units,
)
from .scripted import ScriptedLM, ScriptedSpec, scripted, scripted_spec
from .texts import GOLD, LABELS, NAMES, ODD, SENTENCES

__all__ = [
    "GOLD",
    "LABELS",
    "NAMES",
    "ODD",
    "SENTENCES",
    "SHARED",
    "ScriptedLM",
    "ScriptedSpec",
    "blank",
    "cascade",
    "decode_batched",
    "entities",
    "example",
    "examples",
    "labels_config",
    "load_private",
    "marked_text",
    "model_config",
    "native_jobs",
    "random_lm",
    "scores",
    "scripted",
    "scripted_spec",
    "segment_jobs",
    "segments",
    "spans",
    "steps",
    "units",
    "written_bytes",
    "written_segments",
]
