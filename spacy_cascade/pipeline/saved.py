"""Settings in cascade.json, and which count when a pipeline is loaded: those of its
config that were given anew, else those that were in use when it was saved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy.util import load_config, registry

from ..taxonomy import Taxonomy
from .settings import read_taxonomy, settings_of

DEFAULT_TAXONOMY = {"@taxonomies": "spacy-cascade.DynamicNER.v1"}


def save_settings(pipe: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The settings and the taxonomy of a component, and what the config of the pipeline says of
    them: if it says otherwise when it is loaded, that was given anew.

    config (dict): The component's block in that config; {} if it is saved by itself.
    """
    taxonomy = getattr(pipe, "taxonomy", None)
    options = settings_of(type(pipe))
    meta: dict[str, Any] = {
        "settings": {option: getattr(pipe, s.name) for option, s in options.items()},
        "taxonomy": None if taxonomy is None else taxonomy.to_dict(),
    }
    if config:
        shown = taxonomy_of(config.get("taxonomy"))
        meta["config"] = {
            option: config[option] for option in options if option in config
        }
        meta["config_taxonomy"] = None if shown is None else shown.to_dict()
    return meta


def load_settings(
    pipe: Any, meta: dict[str, Any], config: dict[str, Any] | None = None
) -> None:
    """Take over what `save_settings` gave.

    config (Optional[dict]): Where a pipeline is loaded, the component's block in the config that
        was saved with it: what that pipeline's own config gives anew stays. None: take all.
    """
    saved, shown = meta.get("settings", {}), meta.get("config", {})
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


def load_taxonomy(
    pipe: Any, meta: dict[str, Any], *, unless_given: bool = False
) -> None:
    """Take over the taxonomy alone. unless_given (bool): Only in place of the default one."""
    if "_given_taxonomy" not in pipe.__dict__ or (
        "settings" not in meta and not meta.get("taxonomy")
    ):
        return
    given = pipe.__dict__["_given_taxonomy"]
    if unless_given and given is not None and given != taxonomy_of(DEFAULT_TAXONOMY):
        return
    saved = meta.get("taxonomy")
    if not _same_taxonomy(pipe.taxonomy, saved):
        pipe._take_taxonomy(saved)


def _same_taxonomy(a: Taxonomy | None, b: dict[str, Any] | None) -> bool:
    """Whether a taxonomy is the one that was saved, in all but its name."""
    if a is None or b is None:
        return a is None and b is None
    return a.to_dict() | {"name": ""} == Taxonomy.read(b).to_dict() | {"name": ""}


def config_beside(path: Path) -> dict[str, Any]:
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


def same_value(a: Any, b: Any) -> bool:
    """Whether two settings are equal; the JSON of a config keeps ten digits of a number."""
    if isinstance(a, float) and isinstance(b, (int, float)) and not isinstance(b, bool):
        return math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-8)
    return bool(a == b)


def taxonomy_of(block: Any) -> Taxonomy | None:
    """What a config's [taxonomy] stands for; None if that can't be told (null, or a file that is
    not here)."""
    try:
        found = registry.resolve({"taxonomy": block})["taxonomy"]
        return None if found is None else read_taxonomy(found)
    except (ValueError, OSError):
        return None
