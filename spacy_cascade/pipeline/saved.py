"""The file cascade.json of a saved component, and which settings count when a pipeline
is loaded: those of its config that were given anew, else those that were in use when it
was saved.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from spacy.util import load_config, registry

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from ..taxonomy import Taxonomy
from .settings import Block, TaxonomyLike, read_taxonomy, settings_of

DEFAULT_TAXONOMY = {"@taxonomies": "spacy-cascade.DynamicNER.v1"}
# What a pipeline tells its components to leave out when it is saved or loaded; by themselves they
# are not told.
IN_PIPELINE = "vocab"
_FILE = "cascade.json"


class SavedPipe(Protocol):
    """What is asked of a component to save its settings; its options are asked by name."""

    name: str
    save_weights: str

    @property
    def kind(self) -> str:
        """The name of its factory."""

    def take_taxonomy(self, saved: TaxonomyLike | None) -> None:
        """Use another taxonomy."""


def write_meta(path: Path, meta: Block) -> None:
    """Write cascade.json. path (Path): Directory of the component."""
    # not by srsly, whose JSON does not keep all digits of a number
    text = json.dumps(meta, indent=2, ensure_ascii=False)
    (path / _FILE).write_text(text, encoding="utf8")


def read_meta(path: Path, kind: str, name: str) -> Block:
    """Read cascade.json.

    path (Path): Directory of the component. kind (str): Name of its factory.
    name (str): Name of the component, for messages.
    RAISES CascadeError: C018 if it is damaged, C040 if it is missing or of another
        component.
    """
    file = path / _FILE
    if not file.is_file():
        message = Errors.C040.format(path=path, what=_FILE, name=name)
        raise CascadeFileNotFoundError(message)

    try:
        meta = json.loads(file.read_text("utf8"))
        missing = [key for key in ("kind", "weights", "adapter") if key not in meta]
    except (ValueError, TypeError) as err:
        raise damaged(path, err) from err
    if not isinstance(meta, dict):
        raise damaged(path, "it is no JSON object")
    if missing:
        raise damaged(path, f"it lacks {', '.join(missing)}")

    if meta["kind"] != kind:
        what = f"{kind} (it is a {meta['kind']})"
        raise CascadeError(Errors.C040.format(path=path, what=what, name=name))
    return meta


def damaged(path: Path, why: object) -> CascadeError:
    """The error of a cascade.json that can't be used."""
    return CascadeError(Errors.C018.format(path=path / _FILE, why=why))


def save_settings(pipe: SavedPipe, config: Block) -> Block:
    """What a component is, and its settings and taxonomy.

    What the config of the pipeline says of them is saved, too. If it says otherwise
    when it is loaded, that was given anew.

    config (dict): The component's block in that config; {} if it is saved by itself.
    """
    taxonomy = getattr(pipe, "taxonomy", None)
    options = settings_of(type(pipe))
    meta: Block = {
        "kind": pipe.kind,
        "name": pipe.name,
        "save_weights": pipe.save_weights,
        "settings": {option: getattr(pipe, s.name) for option, s in options.items()},
        "taxonomy": None if taxonomy is None else taxonomy.to_dict(),
    }
    if config:
        shown = taxonomy_of(config.get("taxonomy"))
        given = [option for option in options if option in config]
        meta["config"] = {option: config[option] for option in given}
        meta["config_taxonomy"] = None if shown is None else shown.to_dict()
    return meta


def load_settings(pipe: SavedPipe, meta: Block, config: Block | None = None) -> None:
    """Take over what `save_settings` gave.

    config (Optional[dict]): Where a pipeline is loaded, the component's block in the config that
        was saved with it: what that pipeline's own config gives anew stays. None: take all.
    """
    saved = meta.get("settings", {})
    shown = meta.get("config", {})
    for option, setting in settings_of(type(pipe)).items():
        given = getattr(pipe, setting.name)
        anew = config is not None and not same_value(given, shown.get(option))
        if option in saved and not anew and not same_value(given, saved[option]):
            setattr(pipe, setting.name, saved[option])

    given = pipe.__dict__.get("_given_taxonomy")
    if config is None:
        anew = False
    elif "config_taxonomy" in meta:
        anew = not _same_taxonomy(given, meta["config_taxonomy"])
    else:  # of an earlier version, which told what it had from its config only there
        was = taxonomy_of(config.get("taxonomy"))
        anew = was is not None and given is not None and was != given
    if not anew:
        load_taxonomy(pipe, meta)


def load_taxonomy(pipe: SavedPipe, meta: Block, *, unless_given: bool = False) -> None:
    """Take over the taxonomy alone. unless_given (bool): Only in place of the default one."""
    known = "settings" in meta or meta.get("taxonomy")
    if "_given_taxonomy" not in pipe.__dict__ or not known:
        return
    given = pipe.__dict__["_given_taxonomy"]
    if unless_given and given is not None and given != taxonomy_of(DEFAULT_TAXONOMY):
        return

    saved = meta.get("taxonomy")
    if not _same_taxonomy(getattr(pipe, "taxonomy", None), saved):
        pipe.take_taxonomy(saved)


def _same_taxonomy(a: Taxonomy | None, b: Block | None) -> bool:
    """Whether a taxonomy is the one that was saved, in all but its name."""
    if a is None or b is None:
        return a is None and b is None
    given: dict[str, object] = dict(a.to_dict(), name="")
    saved: dict[str, object] = dict(Taxonomy.read(b).to_dict(), name="")
    return given == saved


def config_beside(path: Path) -> Block:
    """The block of a component in the config of the pipeline that it is saved with; {} if it is
    saved by itself.

    path (Path): The component's directory in that of the pipeline.
    """
    file = path.parent / "config.cfg"
    if not file.is_file():
        return {}
    try:
        config = load_config(file, interpolate=True)
    except ValueError:  # some other file of that name
        return {}
    block = config.get("components", {}).get(path.name, {})
    return dict(block) if isinstance(block, Mapping) else {}


def same_value(a: object, b: object) -> bool:
    """Whether two settings are equal; the JSON of a config keeps ten digits of a number."""
    if isinstance(a, float) and isinstance(b, (int, float)) and not isinstance(b, bool):
        return math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-8)
    return bool(a == b)


def taxonomy_of(block: object) -> Taxonomy | None:
    """What a config's [taxonomy] stands for.

    None if that can't be told: it is null, or a file that is not here.
    """
    try:
        config: Block = {"taxonomy": block}
        found = registry.resolve(config)["taxonomy"]
        return None if found is None else read_taxonomy(found)
    except (ValueError, OSError):
        return None
