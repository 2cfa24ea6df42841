"""Refusing outputs that would overwrite inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_cascade.files import find_overlap

from .errors import CorpusError, Errors

if TYPE_CHECKING:
    from .convert import Job


def refuse_overlap(sources: Iterable[Path], targets: Iterable[Path]) -> None:
    """RAISES CorpusError: T111 if an output is an input, lies in one or holds one."""
    found = find_overlap(sources, targets)
    if found:
        raise CorpusError(Errors.T111.format(source=found.source, target=found.target))


def refuse_jobs(
    source: Path, target: Path, jobs: Iterable[Job], others: Iterable[Path] = ()
) -> None:
    """The same for a file or tree that is read job by job. others (Iterable[Path]): More inputs.

    RAISES CorpusError: T111.
    """
    pairs = [(job.source, job.target) for job in jobs]
    read = [source, *others, *(path for path, _ in pairs)]
    refuse_overlap(read, [target, *(path for _, path in pairs)])
