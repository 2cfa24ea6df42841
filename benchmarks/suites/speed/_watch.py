"""What a pipeline does while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.common import wrapped
from spacy_cascade.decoding.copy import Job
from spacy_cascade.pipeline import extractor


@contextmanager
def decoded_jobs() -> Iterator[list[Job]]:
    """All jobs that extractors decode within the block."""
    found: list[Job] = []

    def decode(plain: Any, lm: Any, jobs: Any, *args: Any, **options: Any) -> None:
        plain(lm, jobs, *args, **options)
        found.extend(jobs)

    with wrapped(extractor, "decode", decode):
        yield found
