"""Which pipeline a component stands in, for those that were sourced from another one."""

from __future__ import annotations

import inspect
from typing import Any

from spacy.language import Language


def pipeline_that_names(pipe: Any) -> Language | None:
    """The pipeline that holds a component and is giving it its name; to be called by the setter of
    that name. None if somebody else gives it.

    A factory is told its pipeline, but a component that is sourced later is told its name alone,
    as are all others whenever a pipeline changes (`Language._link_components`). So the pipeline
    is read from the frame that sets it. A component in two pipelines belongs to the one that
    changed last, as its name does.
    """
    # not the frame of this function, which would hold itself
    setter = getattr(inspect.currentframe(), "f_back", None)
    nlp = (
        setter.f_back.f_locals.get("self")
        if setter is not None and setter.f_back
        else None
    )
    if isinstance(nlp, Language) and any(found is pipe for _, found in nlp.components):
        return nlp
    return None
