"""What the commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogue import RegistryError
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from thinc.api import ConfigValidationError
from wasabi import msg

from ..codecs import Codecs
from ..errors import CascadeError, CascadeFileNotFoundError, Errors


@contextmanager
def show_errors() -> Iterator[None]:
    """Coded errors, and spaCy's about paths, packages and configs, are for users: print the message, not the traceback."""
    try:
        yield
    except (CascadeError, ConfigValidationError, RegistryError, OSError) as err:
        msg.fail(str(err), exits=1)
    except ValueError as err:
        if not str(err).startswith("[E"):  # spaCy's codes
            raise
        msg.fail(str(err), exits=1)


def read_docs(path: Path, vocab: Vocab, limit: int = 0) -> Iterator[Doc]:
    """Docs of a .spacy file. RAISES CascadeError: C031."""
    if not path.is_file():
        raise CascadeFileNotFoundError(Errors.C031.format(path=path, name="this command", why="there is no such file"))
    try:
        docs = DocBin().from_disk(path)
    except Exception as err:  # zlib and msgpack raise whatever they like on a wrong file
        raise CascadeError(Errors.C031.format(path=path, name="this command", why=f"it can't be read ({err})")) from err
    with Codecs():
        for i, doc in enumerate(docs.get_docs(vocab)):
            if limit and i >= limit:
                return
            yield doc


def corpora(paths: list[Path], split: str) -> dict[str, Path]:
    """Name -> .spacy file. A directory stands for all `<split>.spacy` below it, named by their folders."""
    out: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob(f"{split}.spacy")):
                out[str(file.parent.relative_to(path)) if file.parent != path else split] = file
        else:
            out[path.stem if path.stem != split else path.parent.name] = path
    if not out:
        raise CascadeFileNotFoundError(
            Errors.C031.format(path=", ".join(map(str, paths)), name="this command", why=f"no {split}.spacy below it")
        )
    return out
