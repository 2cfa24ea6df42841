"""Which pipeline a component stands in, for those that were sourced from another one."""

from __future__ import annotations

import inspect

from spacy.language import Language


def pipeline_that_names(pipe: object) -> Language | None:
    """The pipeline that holds a component and is giving it its name.

    To be called by the setter of that name. None if somebody else gives it.

    spaCy has no hook that would tell a component its pipeline. A factory is given it, but
    a component that is sourced later is not made by one. What it gets are its name
    (`Language._link_components`, whenever a pipeline changes) and, as a listener, other
    components (`find_listeners`). So the pipeline is read from the frame that sets the
    name. A component in two pipelines belongs to the one that changed last, as its name
    does.
    """
    # not the frame of this function, which would hold itself
    setter = getattr(inspect.currentframe(), "f_back", None)
    caller = None if setter is None else setter.f_back
    nlp = None if caller is None else caller.f_locals.get("self")
    if not isinstance(nlp, Language):
        return None
    holds = any(found is pipe for _, found in nlp.components)
    return nlp if holds else None
