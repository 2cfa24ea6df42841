"""What a killed run left: a checkpoint per data set, and embeddings."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import CorpusError, Errors
from ..outputs import refuse_existing, write_text
from ..units import Unit


class State:
    """Checkpoints and embeddings of a run.

    folder (Path): Where they lie. run (Mapping): All that the outcome depends on,
        except the files' contents.
    cache (Path): Directory for the embeddings, which then stay when the run ends.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any], cache: Path | None = None):
        self.folder = folder
        self.run = json.loads(json.dumps(run))
        self.cache = cache

    @property
    def begun(self) -> bool:
        """Whether there is an unfinished run of the same options."""
        path = self.folder / "run.json"
        return path.is_file() and json.loads(path.read_text("utf8")) == self.run

    def open(self, outputs: Iterable[Path], *, overwrite: bool) -> None:
        """Goes on with an unfinished run of the same options, or starts one.

        RAISES CorpusError: T071 for output of another run; T073 for an unfinished run
            with other options.
        """
        if self.begun and not overwrite:
            return
        if self.folder.is_dir() and not overwrite:
            raise CorpusError(Errors.T073.format(path=self.folder))
        refuse_existing(outputs, overwrite=overwrite)
        self.close()
        write_text(json.dumps(self.run), self.folder / "run.json")

    def load(self, unit: Unit) -> dict[str, Any] | None:
        """What a whole data set came to, unless its files have changed or its outputs are gone."""
        path = self._path(unit)
        if not path.is_file() or not all(job.target.is_file() for job in unit.jobs):
            return None
        saved = json.loads(path.read_text("utf8"))
        return saved["found"] if saved["digest"] == unit.digest else None

    def save(self, unit: Unit, found: Mapping[str, Any]) -> None:
        write_text(
            json.dumps({"digest": unit.digest, "found": found}, ensure_ascii=False),
            self._path(unit),
        )

    def vectors(self, unit: Unit) -> Path:
        """Path of the embeddings of a data set; its name holds what they depend on."""
        key = json.dumps([unit.digest, self.run["embedder"], self.run["limit"]])
        name = hashlib.blake2b(key.encode("utf8"), digest_size=12).hexdigest()
        return (self.cache or self.folder) / f"{name}.npy"

    def close(self) -> None:
        """Removes everything but the cache."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, unit: Unit) -> Path:
        return self.folder / f"{unit.name.replace('/', '__')}.json"
