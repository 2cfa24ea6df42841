"""Right answers as the decisions that lead to them, which is what a model is trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ..contracts import ClassifyPrompt
from ..decoding.automaton import CopyAutomaton, CopyState
from ..decoding.copy import Job, copy_depths
from ..decoding.labels import LabelTrie
from ..decoding.listing import ListJob
from ..decoding.tree import TokenTree
from ..doc.gold import MentionList
from ..taxonomy import Taxonomy, TypePath, normalize_name
from ..types import CausalLM, MentionQuery, Query, TrainingItem

# Attention within a tree is quadratic: a text with very many mentions is trained on in
# several trees.
_TREE_NODES = 768
# (types, gold) -> the list to choose from
ListNoise = Callable[[list[str], str], list[str]]


def copy_item(
    job: Job, text: Iterable[int], missing: Collection[int] = ()
) -> TrainingItem:
    """The marked copy that a job's guess writes.

    text (Iterable[int]): Where the plain text stands in the prompt.
    missing (Collection[int]): Tokens of the unit without annotation: whether a mention begins
    there is not known, so it is no
        decision to learn from.
    """
    automaton = job.automaton
    state = automaton.start()
    tokens = automaton.draft(state, job.guess)
    start = len(job.prompt)
    query = Query(job.prompt + tokens)
    gold = []
    states = []

    for k, token in enumerate(tokens):
        states.append(state)
        allowed = automaton.allowed(state)
        is_choice = len(allowed) > 1 and token in allowed
        if is_choice and not (missing and _opens(automaton, state, allowed, missing)):
            query.positions.append(start + k - 1)
            query.candidates.append(allowed)
            gold.append(list(allowed).index(token))
        state = automaton.step(state, token)

    query.depths = copy_depths(job, states)
    answer = list(range(start, start + len(tokens)))
    return TrainingItem(query, gold, answer=answer, text=list(text))


def _opens(
    automaton: CopyAutomaton,
    state: CopyState,
    allowed: Sequence[int],
    tokens: Collection[int],
) -> bool:
    """Whether it is decided here if a mention begins at one of these tokens."""
    return any(
        c.kind == "open" and c.token in tokens
        for t in allowed
        for c in automaton.choices(state, t)
    )


def list_item(job: ListJob, answer: Iterable[int]) -> TrainingItem:
    """A list of mentions; the job is written to its end.

    answer (Iterable[int]): The right tokens, with the end token.
    """
    query = Query(job.prompt)
    gold = []
    start = len(job.prompt)
    for k, token in enumerate(answer):
        allowed = job.automaton.allowed(job.state)
        # a token that writes what another one writes is no choice
        if len(allowed) > 1 and token in allowed:
            query.positions.append(start + k - 1)
            query.candidates.append(allowed)
            gold.append(allowed.index(token))
        job.write(token)

    query.ids = job.prompt + job.tokens
    query.depths = job.all_depths()
    nodes = list(range(start, start + len(job.tokens)))
    return TrainingItem(query, gold, answer=nodes, text=list(job.text))


class TypesItem:
    """The types of several mentions that share a text, in one token tree.

    template: How types are asked for. list_noise (Optional[Callable]): (types, gold) ->
        the list to choose from.
    """

    def __init__(
        self,
        lm: CausalLM,
        template: ClassifyPrompt,
        list_noise: ListNoise | None = None,
    ):
        self.lm = lm
        self.template = template
        self.list_noise = list_noise
        self.tree = TokenTree()
        self.query = Query(
            self.tree.ids, parents=self.tree.parents, depths=self.tree.depths
        )
        self.gold: list[int] = []
        self.answer: list[int] = []
        self.text: list[int] = []

    def add(self, asked: MentionQuery, taxonomy: Taxonomy, path: TypePath) -> None:
        """A mention and its path in the taxonomy."""
        lm, template = self.lm, self.template
        if not self.text:
            self.text = list(template.text_range(lm, asked.unit))
        for level in range(len(path)):
            parent = path[:level]
            types = [p[-1] for p in taxonomy.children(parent)]
            if self.list_noise is not None:
                types = self.list_noise(types, path[level])
            prompt, depths = template.prompt(lm, asked, parent, types)
            stem = self.tree.insert(prompt, depths=depths)
            trie = LabelTrie(
                [template.answer(lm, t) for t in types], template.end_id(lm)
            )
            node = stem
            for trie_node, token in trie.steps[types.index(path[level])]:
                options = tuple(trie.children[trie_node])
                if len(options) > 1:
                    self.query.positions.append(node)
                    self.query.candidates.append(options)
                    self.gold.append(options.index(token))
                node = self.tree.insert([token], node)
                self.answer.append(node)

    def item(self) -> TrainingItem:
        """All that was added."""
        return TrainingItem(self.query, self.gold, answer=self.answer, text=self.text)


class TypeTrees:
    """The types of a text's gold mentions, in as few trees as may be.

    Parameters are those of `TypesItem`.
    """

    def __init__(self, lm: CausalLM, template: ClassifyPrompt, noise: ListNoise | None):
        self.lm = lm
        self.template = template
        self.noise = noise
        self._trees: list[TypesItem] = []
        # first token and length of the unit of the last tree
        self._unit: tuple[int, int] | None = None

    def add(
        self, query: MentionQuery, first: int, taxonomy: Taxonomy, path: TypePath
    ) -> None:
        """A mention and its path. first (int): First token of its unit in the Doc."""
        unit = (first, len(query.unit.tokens))
        if unit != self._unit or len(self._trees[-1].tree) > _TREE_NODES:
            self._trees.append(TypesItem(self.lm, self.template, self.noise))
        self._unit = unit if self.template.continues else None
        self._trees[-1].add(query, taxonomy, path)

    def items(self) -> list[TrainingItem]:
        """All that was added."""
        return [tree.item() for tree in self._trees]


def own_list(given: MentionList) -> Taxonomy:
    """A mention's own type list.

    Of types that differ in nothing but case or white space one is left, the answer if
    it is among them.
    """
    names = [*given.names, given.answer]
    by_name = {normalize_name(name): name for name in names}
    return Taxonomy.from_labels(by_name.values())
