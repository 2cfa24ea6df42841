"""Downloads of the published corpora."""

from __future__ import annotations

from pathlib import Path

from .errors import CorpusError, Errors

REPOSITORIES = {"dynamicner": "CascadeNER/DynamicNER", "b2nerd": "Umean/B2NERD"}


def fetch(name: str, target: Path) -> Path:
    """Downloads a data set from the Hugging Face hub.

    name (str): "dynamicner" or "b2nerd".

    RETURNS (Path): The directory with the files.
    RAISES CorpusError: T003 for an unknown name, T020 if the hub can't be reached, T021
        without huggingface_hub.
    """
    if name not in REPOSITORIES:
        raise CorpusError(
            Errors.T003.format(
                option="data set", value=name, choices=", ".join(REPOSITORIES)
            )
        )
    repo = REPOSITORIES[name]
    try:
        from huggingface_hub import snapshot_download
    except ImportError as err:
        raise CorpusError(Errors.T021.format(repo=repo)) from err
    try:
        return Path(snapshot_download(repo, repo_type="dataset", local_dir=target))
    # which ones depends on the release: those of requests, of httpx, or the hub's own
    except Exception as err:
        lines = str(err).strip().splitlines() or [type(err).__name__]
        raise CorpusError(
            Errors.T020.format(
                repo=repo, why=f"{type(err).__name__}: {lines[0].rstrip('.')}"
            )
        ) from err
