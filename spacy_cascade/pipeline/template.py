"""Which template a component asks its model with: as configured, or as its weights were trained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, overload

from spacy.language import Language

from ..contracts import ClassifyPrompt, ExtractPrompt, ListPrompt
from ..errors import CascadeError, Errors, Warnings
from ..registry import missing_members, registry
from .settings import read_registered

logger = logging.getLogger("spacy_cascade")


PromptT_co = TypeVar("PromptT_co", covariant=True)

# What each stage asks with, and templates that do.
_STAGES = {
    "cascade_extractor": (ExtractPrompt, ("CompactExtract.v1", "ChatExtract.v1")),
    "cascade_classifier": (ClassifyPrompt, ("CompactClassify.v1", "ChatClassify.v1")),
    "open_ner": (ListPrompt, ("CompactOpen.v1", "B2NEROpen.v1")),
}


class PromptSetting(Generic[PromptT_co]):
    """The template of a component, declared as an attribute of its class.

    contract (type): The Protocol that it has to follow.
    """

    def __init__(self, contract: type):
        self.contract = contract

    @overload
    def __get__(self, pipe: None, owner: type) -> PromptSetting[PromptT_co]: ...

    @overload
    def __get__(self, pipe: Prompted, owner: type) -> PromptT_co: ...

    def __get__(
        self, pipe: Prompted | None, owner: type
    ) -> PromptSetting[PromptT_co] | PromptT_co:
        """RAISES CascadeError: C106 if none was configured or loaded."""
        if pipe is None:
            return self
        template: PromptT_co = pipe._template_of.get()
        return template

    def __set__(self, pipe: Prompted, template: object) -> None:
        """RAISES CascadeError: C080, C130."""
        pipe._template_of.set(template)


class Prompted(Protocol):
    """A component that asks with a template."""

    _template_of: TemplateOf


def check_contract(value: object, contract: type, option: str, name: str) -> None:
    """Check an object that a component is given.

    contract (type): The Protocol that it has to follow.
    option (str), name (str): The option, and the component's name, for the message.
    RAISES CascadeError: C130 if it lacks members of the Protocol.
    """
    missing = missing_members(value, contract)
    if not missing:
        return

    hints = []
    if option == "template":
        for kind, (other, _) in _STAGES.items():
            if not missing_members(value, other):
                hints.append(f"It is a template for '{kind}'.")
        for fitting, known in _STAGES.values():
            if fitting is contract:
                names = " or ".join(
                    f'"spacy-cascade.{known_name}"' for known_name in known
                )
                hints.append(f"Here fits @prompts = {names}.")

    found = value.__name__ if isinstance(value, type) else type(value).__name__
    raise CascadeError(
        Errors.C130.format(
            option=option,
            name=name,
            found=found,
            missing=", ".join(missing),
            contract=contract.__name__,
            hint=" ".join(hints),
        ).rstrip()
    )


class TemplateOf:
    """The template of one component.

    What it was made from is saved with the weights, since weights that were trained
    with one template answer another one at random.

    nlp (Language), name (str): The component's pipeline, whose config tells how the
        template was made, and its name.
    contract (type): The Protocol that the template has to follow.
    """

    def __init__(self, nlp: Language, name: str, contract: type):
        self.name = name
        self.contract = contract
        self._nlp = nlp
        self._template: object = None
        # the template that the pipeline's config describes, and its description if it
        # was loaded instead
        self._configured: object = None
        self._loaded: dict[str, object] | None = None
        self._set = False

    def move(self, nlp: Language) -> None:
        """The component was put into another pipeline, whose config now tells how it was made."""
        self._nlp = nlp

    def get(self) -> Any:
        """The template, as the component's class declares its type.

        RAISES CascadeError: C106 if there is none.
        """
        if self._template is None:
            raise CascadeError(Errors.C106.format(name=self.name))
        return self._template

    def set(self, template: object) -> None:
        """The first one is that of the config.

        template (object): A template, the name of one with all defaults, or None.
        RAISES CascadeError: C080, C130.
        """
        if template is not None:
            template = read_registered("prompts", "template", self.name, template)
            check_contract(template, self.contract, "template", self.name)
        if not self._set:
            self._configured, self._set = template, True
        self._template, self._loaded = template, None

    @property
    def replaced(self) -> bool:
        """Whether it is another one than the config's and the saved one."""
        return self._loaded is None and self._template is not self._configured

    def description(self) -> dict[str, object] | None:
        """The config block of the template; None if it was made otherwise."""
        if self._loaded is not None:
            return self._loaded
        if self._template is None or self._template is not self._configured:
            return None
        if self.name not in self._nlp.component_names:
            return None
        # with the values of variables: they are other ones, or none, where the
        # component is loaded again
        found = self._nlp.config.interpolate()["components"][self.name].get("template")
        return dict(found) if isinstance(found, dict) and "@prompts" in found else None

    def save(self, path: Path) -> dict[str, object]:
        """RETURNS (dict): What `load` has to know, JSON-serializable."""
        found = self.description()
        return {} if found is None else {"template": found}

    def load(self, path: Path, meta: dict[str, object]) -> None:
        """Take the saved template where none is configured, else see whether they agree.

        path (Path): Directory of the saved component. meta (dict): What `save` gave,
            and whether weights were trained.
        RAISES CascadeError: C105 if trained weights come with another template than the
            configured one, C130 if the saved one is for another stage.
        """
        saved = meta.get("template")
        if not isinstance(saved, dict):
            return
        template = registry.resolve({"template": saved})["template"]
        check_contract(template, self.contract, "template", self.name)
        if self._template is None or self._loaded is not None:
            self._template, self._loaded = template, saved
        elif meta.get("trained", meta["adapter"]) and _differ(template, self._template):
            used = self.description() or type(self._template).__name__
            raise CascadeError(
                Errors.C105.format(path=path, saved=saved, name=self.name, found=used)
            )


def _differ(a: object, b: object) -> bool:
    """Whether templates that can be compared are different."""
    return type(a).__eq__ is not object.__eq__ and a != b


class Stage(Protocol[PromptT_co]):
    """A component with its template."""

    @property
    def name(self) -> str: ...

    @property
    def template(self) -> PromptT_co: ...


class Frames:
    """Whether a classifier goes on from what an extractor writes.

    A pair that could and does not is reported once.
    """

    def __init__(self) -> None:
        self._reported: set[tuple[ExtractPrompt, ClassifyPrompt]] = set()

    def agree(
        self, extractor: Stage[ExtractPrompt], classifier: Stage[ClassifyPrompt]
    ) -> bool:
        """extractor, classifier (LMPipe): Components on the same weights."""
        first, second = extractor.template, classifier.template
        if not second.continues:
            return False

        goes_on = getattr(second, "goes_on_from", None)
        if goes_on is None or goes_on(first):
            return True

        if (first, second) not in self._reported:
            self._reported.add((first, second))
            message = Warnings.W018.format(
                name=classifier.name,
                extractor=extractor.name,
                found=second,
                other=first,
            )
            logger.warning(message)
        return False
