"""What the commands share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from catalogue import RegistryError
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from thinc.api import ConfigValidationError
from wasabi import msg

from ..doc.codecs import Codecs
from ..doc.corpus import GoldSpans
from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from ..files import find_overlap


@contextmanager
def show_errors() -> Iterator[None]:
    """Coded errors, and spaCy's about paths, packages and configs, are for users: print
    the message, not the traceback.
    """
    try:
        yield
    except (CascadeError, ConfigValidationError, RegistryError, OSError) as err:
        msg.fail(str(err), exits=1)
    except ValueError as err:
        if not str(err).startswith("[E"):  # spaCy's codes
            raise
        msg.fail(str(err), exits=1)


def refuse_overlap(
    sources: Iterable[Path | str | None],
    targets: Iterable[Path | None],
    *,
    replaced: bool = False,
) -> None:
    """See `files.find_overlap`; None stands for an option that was not given.

    RAISES CascadeError: C123.
    """
    read = [path for path in sources if path is not None]
    written = [path for path in targets if path is not None]
    found = find_overlap(read, written, replaced=replaced)
    if found:
        raise CascadeError(Errors.C123.format(source=found.source, target=found.target))


def read_docs(
    path: Path,
    vocab: Vocab,
    limit: int = 0,
    *,
    spans_key: str | None = "",
) -> Iterator[Doc]:
    """Docs of a .spacy file. Warns (CW17) of spans in groups that are not read.

    spans_key (Optional[str]): The group that is gold, such as spancat's "sc"; "": gold
        spans or entities; None: gold is not looked at.
    RAISES CascadeError: C031, also if no Doc has that group.
    """
    if not path.is_file():
        raise CascadeFileNotFoundError(_unusable(path, "there is no such file"))
    try:
        docs = DocBin().from_disk(path)
    except Exception as err:
        # zlib and msgpack raise whatever they like on a wrong file
        raise CascadeError(_unusable(path, f"it can't be read ({err})")) from err

    remedy = "`python -m corpus_tools convert --spans-key NAME` makes gold of a group"
    gold = GoldSpans(path, spans_key or "", remedy)
    with Codecs():
        for doc in itertools.islice(docs.get_docs(vocab), limit or None):
            yield gold.read(doc)
    if spans_key is not None:
        gold.report()


def corpora(paths: Sequence[Path], split: str) -> dict[str, Path]:
    """Name -> .spacy file.

    A directory stands for all `<split>.spacy` below it, named by their folders.
    """
    out: dict[str, Path] = {}
    for path in paths:
        if not path.is_dir():
            name = path.stem if path.stem != split else path.parent.name
            out[name] = path
            continue
        for file in sorted(path.rglob(f"{split}.spacy")):
            name = str(file.parent.relative_to(path)) if file.parent != path else split
            out[name] = file
    if not out:
        named = ", ".join(map(str, paths))
        raise CascadeFileNotFoundError(_unusable(named, f"no {split}.spacy below it"))
    return out


def _unusable(path: Path | str, why: str) -> str:
    return Errors.C031.format(path=path, name="this command", why=why)
