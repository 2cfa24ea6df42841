"""Every error has a code, says what was found, and what to do about it."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from spacy.language import Language
from spacy.util import registry as spacy_registry
from transformers import (
    BertConfig,
    BertLMHeadModel,
    BertModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from spacy_cascade.decoding.automaton import Choice, Guess
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.errors import (
    CascadeError,
    CascadeFileNotFoundError,
    CascadeTypeError,
    Errors,
    Warnings,
)
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec, hf_spec
from spacy_cascade.models.tiny import SPECIAL_TOKENS
from spacy_cascade.models.trainable import lora_config
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.prompts.chat import ChatClassify, ChatExtract
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.taxonomy import Taxonomy, builtin
from spacy_cascade.training.augment import MentionReplacer
from spacy_cascade.training.loop import SFT
from spacy_cascade.types import Query, Unit
from tests import util


def fails(code: str, call: Callable[[], Any], *parts: str) -> CascadeError:
    with pytest.raises(CascadeError) as err:
        call()
    assert err.value.code == code
    assert str(err.value).startswith(f"[{code}] ")
    for part in parts:
        assert part in str(err.value)
    return err.value


# -- The messages themselves ---------------------------------------------------------


def test_codes_are_unique_and_stand_in_their_messages() -> None:
    for name, text in {**vars(Errors), **vars(Warnings)}.items():
        if name[0] in "CW" and name[1:].isdigit():
            assert text.startswith(
                f"[{name}] " if name[0] == "C" else f"[CW{name[2:]}] "
            )


def test_every_message_is_used() -> None:
    """A message that nothing raises describes a check that is missing."""
    root = Path(__file__).parents[2] / "spacy_cascade"
    source = "".join(
        p.read_text("utf8") for p in root.rglob("*.py") if p != root / "errors.py"
    )
    unused = [
        f"{owner.__name__}.{n}"
        for owner in (Errors, Warnings)
        for n in vars(owner)
        if re.fullmatch(r"[CW]\d{3}", n) and f"{owner.__name__}.{n}" not in source
    ]
    assert unused == []


@pytest.mark.parametrize(
    "kind", [CascadeError, CascadeTypeError, CascadeFileNotFoundError]
)
def test_errors_survive_pickle(kind: type[CascadeError]) -> None:
    """They cross process borders in nlp.pipe(n_process=2)."""
    err = pickle.loads(pickle.dumps(kind(Errors.C003)))
    assert (type(err), err.code, str(err)) == (kind, "C003", Errors.C003)


def test_errors_are_ordinary_python_errors() -> None:
    assert issubclass(CascadeError, ValueError)
    assert issubclass(CascadeTypeError, TypeError)
    assert issubclass(CascadeFileNotFoundError, FileNotFoundError)


# -- Taxonomies ----------------------------------------------------------------------


def test_c001_unknown_type() -> None:
    fails(
        "C001",
        lambda: Taxonomy(["person", "city"]).resolve("persn"),
        "'persn'",
        "Did you mean: person",
        "2 types",
        "city",
    )


@pytest.mark.parametrize("name", ["", " ", "\n", 7, None])
def test_c001_names_that_are_none(name: Any) -> None:
    fails("C001", lambda: Taxonomy(["person"]).resolve(name))


def test_c002_ambiguous_type() -> None:
    fails(
        "C002",
        lambda: Taxonomy({"a": ["x"], "b": ["x"]}).resolve("x"),
        "a > x; b > x",
        "Give the whole path",
    )


@pytest.mark.parametrize("empty", [{}, [], {"tree": {}}])
def test_c003_empty(empty: Any) -> None:
    fails("C003", lambda: Taxonomy.from_object(empty), "at least one type")


def test_c003_empty_subset() -> None:
    fails("C003", lambda: Taxonomy(["a"]).subset([]))


@pytest.mark.parametrize("data", [7, 1.5, None, True])
def test_c004_unknown_form(data: Any) -> None:
    fails(
        "C004", lambda: Taxonomy.from_object(data), type(data).__name__, "Known forms"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", "{"),
        ("t.yml", "a: [b"),
        ("t.txt", b"\xff\xfe\xff"),
        ("t.json", b"\xff"),
    ],
)
def test_c004_unreadable_file(tmp_path: Path, name: str, text: Any) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    fails("C004", lambda: Taxonomy.from_file(tmp_path / name), name)


def test_c004_missing_file(tmp_path: Path) -> None:
    err = fails(
        "C004",
        lambda: Taxonomy.from_file(tmp_path / "no.json"),
        "no.json",
        "no such file",
    )
    assert isinstance(err, FileNotFoundError)


def test_c004_string_that_names_no_file() -> None:
    pipe: Any = util.blank().add_pipe("cascade_classifier")
    err = fails("C004", lambda: pipe.set_taxonomy("person"), "'person'")
    assert isinstance(err, TypeError)


def test_c005_equal_siblings() -> None:
    fails(
        "C005",
        lambda: Taxonomy({"A": {"b": None, " B": None}}),
        "'b'",
        "' B'",
        "'A'",
        "must differ",
    )
    fails("C005", lambda: Taxonomy(["A", "a"]), "'A'", "'a'", "the root")
    fails("C005", lambda: Taxonomy.from_labels(["US", "DE", "us"]), "'US'", "'us'")
    fails(
        "C005",
        lambda: Taxonomy.from_labels(["LOC->city", "loc->country"]),
        "'LOC'",
        "'loc'",
    )


@pytest.mark.parametrize("name", ["", "  ", "a > b", "a\nb", 3])
def test_c006_unusable_name(name: Any) -> None:
    fails("C006", lambda: Taxonomy({name: None}), repr(name))


@pytest.mark.parametrize("name", ["", "->", 3, None])
def test_c006_unusable_label(name: Any) -> None:
    fails("C006", lambda: Taxonomy.from_labels(["a", name]), repr(name))


# -- Models --------------------------------------------------------------------------


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_c010_no_model(factory: str) -> None:
    nlp = util.blank()
    pipe: Any = nlp.add_pipe(factory, name="mine")
    doc = nlp.make_doc("Ann")
    doc.spans["cascade"] = [doc[0:1]]
    fails(
        "C010", lambda: pipe(doc), "'mine'", "[components.mine.model]", "spacy.load()"
    )


def test_c010_load_without_a_name() -> None:
    fails("C010", lambda: load_model(HFSpec("")))


def _save(model: Any, base: Path, path: Path) -> Path:
    model.save_pretrained(str(path))
    PreTrainedTokenizerFast.from_pretrained(str(base)).save_pretrained(str(path))
    return path


def _bert(base: Path) -> BertConfig:
    size = len(PreTrainedTokenizerFast.from_pretrained(str(base)))
    return BertConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )


def test_c011_an_encoder_is_no_causal_lm(base: Path, tmp_path: Path) -> None:
    path = _save(BertModel(_bert(base)), base, tmp_path / "bert")
    fails(
        "C011",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        str(path),
        "language-modelling head",
    )


def test_c011_a_model_that_sees_the_tokens_to_come(base: Path, tmp_path: Path) -> None:
    path = _save(BertLMHeadModel(_bert(base)), base, tmp_path / "bert")
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), "bert")


def test_c011_an_encoder_decoder(base: Path, tmp_path: Path) -> None:
    config = T5Config(
        vocab_size=300, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2
    )
    path = _save(T5ForConditionalGeneration(config), base, tmp_path / "t5")
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")))


def test_c011_an_empty_directory(tmp_path: Path) -> None:
    fails(
        "C011",
        lambda: load_model(HFSpec(str(tmp_path))),
        "no config.json",
        "files: none",
    )


def _copy(base: Path, tmp_path: Path) -> Path:
    shutil.copytree(base, tmp_path / "m")
    return tmp_path / "m"


def test_c011_no_weights(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    (path / "model.safetensors").unlink()
    fails("C011", lambda: load_model(HFSpec(str(path))), "no *.safetensors file")


def test_c011_no_tokenizer(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    for file in path.glob("*token*"):
        file.unlink()
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), str(path))


@pytest.mark.parametrize("text", ["{", "{}", '{"model_type": "no_such_thing"}', "[]"])
def test_c011_broken_config(base: Path, tmp_path: Path, text: str) -> None:
    path = _copy(base, tmp_path)
    (path / "config.json").write_text(text)
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), str(path))


def test_c011_weights_of_another_size(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    config = json.loads((path / "config.json").read_text())
    config.pop("layer_types", None)
    (path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    fails(
        "C011",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        "weights are missing",
    )


def test_c011_config_that_contradicts_itself(base: Path, tmp_path: Path) -> None:
    """What transformers makes of it is not always one of the errors one expects."""
    path = _copy(base, tmp_path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(
        json.dumps(
            {**config, "num_hidden_layers": 5, "layer_types": ["full_attention"]}
        )
    )
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), str(path))


@pytest.mark.parametrize(
    "name", ["nobody/nothing", "no-such-directory/at/all", "nothing"]
)
def test_c012_not_on_disk_and_no_hub(name: str) -> None:
    err = fails(
        "C012",
        lambda: load_model(HFSpec(name, device="cpu")),
        f"'{name}'",
        "give a local directory",
    )
    assert isinstance(err, FileNotFoundError)


def test_c012_absolute_path_that_is_not_there(tmp_path: Path) -> None:
    fails(
        "C012",
        lambda: load_model(HFSpec(str(tmp_path / "model"), device="cpu")),
        str(tmp_path),
        "give a local directory",
    )


def test_c013_missing_adapter(base: Path, tmp_path: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    err = fails(
        "C013",
        lambda: lm.load_adapter("x", tmp_path / "none"),
        "none",
        "adapter_config.json",
    )
    assert isinstance(err, FileNotFoundError)


def test_c013_broken_adapter_config(base: Path, tmp_path: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.add_adapter("a", lora_config({"rank": 2}))
    lm.save_adapter("a", tmp_path / "a")
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    fails(
        "C013",
        lambda: load_model(HFSpec(str(base), device="cpu"), private=True).load_adapter(
            "x", tmp_path / "a"
        ),
        str(tmp_path / "a"),
    )


def _without_marks(base: Path, tmp_path: Path) -> Path:
    path = _copy(base, tmp_path)
    for file in path.glob("*.json"):
        text = file.read_text("utf8")
        for i, token in enumerate(SPECIAL_TOKENS[4:6]):
            text = text.replace(json.dumps(token), json.dumps(f"<extra{i}>"))
        file.write_text(text, "utf8")
    config = json.loads((path / "config.json").read_text())
    # equal models are loaded once, and named by the first path
    (path / "config.json").write_text(json.dumps({**config, "copy": str(path)}))
    return path


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_c015_tokenizer_without_the_templates_tokens(
    base: Path, tmp_path: Path, factory: str
) -> None:
    path = _without_marks(base, tmp_path)
    nlp = util.blank()
    pipe: Any = nlp.add_pipe(factory, config={"model": util.model_config(path)})
    doc = nlp.make_doc("Ann")
    doc.spans["cascade"] = [doc[0:1]]
    fails("C015", lambda: pipe(doc), str(path), "<mark>")


def test_c015_no_end_of_sequence_token(base: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.tokenizer.eos_token = None
    unit = Unit("Ann", ((0, 3),), (False,))
    fails("C015", lambda: ChatExtract().job(lm, unit, Guess(unit)), "eos_token")
    fails("C015", lambda: ChatClassify().end_id(lm), "eos_token")


def test_c016_adapter_of_another_base(
    base: Path, other_base: Path, tmp_path: Path
) -> None:
    config = {"adapter": {"rank": 2}, "save_weights": "adapter"}
    pipe: Any = util.blank().add_pipe(
        "cascade_extractor", config={"model": util.model_config(base), **config}
    )
    pipe.start_training()
    pipe.to_disk(tmp_path / "p")
    other: Any = util.blank().add_pipe(
        "cascade_extractor", config={"model": util.model_config(other_base), **config}
    )
    fails(
        "C016",
        lambda: other.from_disk(tmp_path / "p"),
        pipe.lm.fingerprint(),
        other.lm.fingerprint(),
    )


def test_c017_shared_model_of_a_missing_component() -> None:
    nlp = util.blank()
    nlp.add_pipe("sentencizer")
    pipe: Any = nlp.add_pipe(
        "cascade_classifier", config={"model": {**util.SHARED, "component": "nobody"}}
    )
    fails("C017", lambda: pipe.lm, "'nobody'", "sentencizer, cascade_classifier")


def test_c017_shared_model_of_itself_or_of_another_kind() -> None:
    for component in ("cascade_classifier", "sentencizer"):
        nlp = util.blank()
        nlp.add_pipe("sentencizer")
        pipe: Any = nlp.add_pipe(
            "cascade_classifier",
            config={"model": {**util.SHARED, "component": component}},
        )
        fails("C017", lambda pipe=pipe: pipe.lm, component)


def test_c018_cut_off_weights(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    data = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(data[:-1])
    fails(
        "C018",
        lambda: load_model(HFSpec(str(path))),
        "model.safetensors",
        str(len(data) - 1),
        str(len(data)),
    )


def _pickled(base: Path, tmp_path: Path) -> Path:
    path = _copy(base, tmp_path)
    state = load_model(HFSpec(str(base), device="cpu"), private=True).model.state_dict()
    torch.save(state, path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    return path


def test_c019_pickled_weights(base: Path, tmp_path: Path) -> None:
    path = _pickled(base, tmp_path)
    fails(
        "C019",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        "pytorch_model.bin",
        "allow_pickle = true",
        "safetensors",
    )


def test_pickled_weights_load_when_asked_for(base: Path, tmp_path: Path) -> None:
    lm = load_model(
        HFSpec(str(_pickled(base, tmp_path)), device="cpu", allow_pickle=True)
    )
    assert lm.fingerprint() == load_model(HFSpec(str(base), device="cpu")).fingerprint()


@pytest.mark.skipif(
    find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed"
)
@pytest.mark.parametrize("value", ["8bit", "4bit"])
def test_c053_quantization_without_its_package(base: Path, value: str) -> None:
    fails(
        "C053",
        lambda: load_model(HFSpec(str(base), device="cpu", quantization=value)),
        value,
        "pip install bitsandbytes",
    )


# -- Settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "option", "choices"),
    [
        ("cascade_extractor", "window", "auto, sents, stride"),
        ("cascade_extractor", "save_weights", "full, adapter, none"),
        ("cascade_classifier", "source", "spans, ents"),
        ("cascade_classifier", "strategy", "progressive, beam, path"),
        ("cascade_classifier", "save_weights", "full, adapter, none"),
    ],
)
def test_c020_unknown_choice_in_the_config(
    factory: str, option: str, choices: str
) -> None:
    fails(
        "C020",
        lambda: util.blank().add_pipe(factory, config={option: "nonsense"}),
        "'nonsense'",
        f"'{option}'",
        choices,
    )


@pytest.mark.parametrize(
    ("settings", "choices"),
    [({"dtype": "int3"}, "float32"), ({"quantization": "2bit"}, "8bit, 4bit")],
)
def test_c020_unknown_model_setting(settings: dict[str, Any], choices: str) -> None:
    fails(
        "C020", lambda: hf_spec("x", **settings), next(iter(settings.values())), choices
    )


@pytest.mark.parametrize("option", ["objective", "optimizer", "precision"])
def test_c020_unknown_loop_setting(option: str) -> None:
    values: dict[str, Any] = {option: "nonsense"}
    fails(
        "C020", lambda: SFT(["a"], max_steps=1, **values), "'nonsense'", f"'{option}'"
    )


def test_c020_unknown_adapter_setting() -> None:
    fails("C020", lambda: lora_config({"rnk": 3}), "'rnk'", "rank, alpha")


@pytest.mark.parametrize(
    ("factory", "option", "value"),
    [
        ("cascade_extractor", "rounds", 0),
        ("cascade_extractor", "temperature", 0.0),
        ("cascade_extractor", "open_threshold", -0.1),
        ("cascade_extractor", "open_threshold", 1.1),
        ("cascade_extractor", "max_tokens", 7),
        ("cascade_extractor", "overlap", -1),
        ("cascade_extractor", "overlap", 129),
        ("cascade_classifier", "beam_width", 0),
        ("cascade_classifier", "min_score", 1.5),
        ("cascade_classifier", "min_score", -0.1),
        ("cascade_classifier", "max_tokens", 0),
    ],
)
def test_c021_impossible_number_in_the_config(
    factory: str, option: str, value: Any
) -> None:
    fails(
        "C021",
        lambda: util.blank().add_pipe(factory, config={option: value}),
        f"'{option}' must be",
        repr(value),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"max_steps": 0},
        {"max_steps": 1, "batch_size": 0},
        {"max_steps": 1, "accumulate": 0},
    ],
)
def test_c021_impossible_loop_setting(settings: dict[str, Any]) -> None:
    fails("C021", lambda: SFT(["a"], **settings), "must be")


@pytest.mark.parametrize("rank", [0, -1, 1.5, "8"])
def test_c021_impossible_rank(rank: Any) -> None:
    fails(
        "C021",
        lambda: lora_config({"rank": rank}),
        "adapter.rank",
        repr(rank) if not isinstance(rank, str) else rank,
    )


def test_c021_impossible_batch_tokens() -> None:
    fails("C021", lambda: hf_spec("x", batch_tokens=0), "batch_tokens")
    fails("C021", lambda: hf_spec("x", cache_tokens=-1), "cache_tokens")


@pytest.mark.parametrize("value", ["many", None, [1]])
def test_a_setting_of_the_wrong_type_is_a_config_error(value: Any) -> None:
    from thinc.api import ConfigValidationError

    with pytest.raises(ConfigValidationError, match="rounds"):
        util.blank().add_pipe("cascade_extractor", config={"rounds": value})


@pytest.mark.parametrize(
    "name", ["causal_lms", "prompts", "taxonomies", "training_loops"]
)
def test_an_unknown_registered_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(Exception, match=r"spacy-cascade\."):
        getattr(spacy_registry, name).get("spacy-cascade.Nonsense.v1")


# -- Decoding and components ---------------------------------------------------------


def test_c022_longer_than_the_models_window(base: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu", max_length=20), private=True)
    fails(
        "C022",
        lambda: lm.candidate_logits([Query([5] * 21, [20], [[3, 4]])]),
        "21",
        "20",
        "max_tokens",
    )


def test_a_window_too_small_for_anything_skips_and_says_so(base: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor", config={"model": util.model_config(base, max_length=16)}
    )
    doc = nlp("Internationalization of Donaudampfschifffahrtsgesellschaft")
    assert {s for *_, s in doc._.cascade_coverage} >= {"skipped"}


def test_c023_no_types_below_a_leaf() -> None:
    typer = Typer(CompactClassify(), "progressive", 1, 0.0, False)
    fails(
        "C023",
        lambda: typer._types(Taxonomy({"a": ["b"]}), ("a", "b")),
        "level 3",
        "'a > b'",
    )


@pytest.mark.parametrize("value", [7, "person", {"a": 1}, [1, 2], [["a"]]])
def test_c024_label_set_of_a_doc(value: Any) -> None:
    nlp, _ = util.scripted({"Ann": ("person",)})
    doc = nlp.make_doc("Ann")
    doc._.cascade_labels = value
    fails("C024", lambda: nlp(doc), "cascade_labels", repr(value)[:20])


def test_empty_label_set_of_a_doc() -> None:
    nlp, _ = util.scripted({"Ann": ("person",)})
    doc = nlp.make_doc("Ann")
    doc._.cascade_labels = []
    fails("C003", lambda: nlp(doc))


def test_c025_classifier_without_candidates(base: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe("cascade_classifier", config={"model": util.model_config(base)})
    fails(
        "C025",
        lambda: nlp("Ann"),
        "'cascade_classifier'",
        "Add 'cascade_extractor' before it",
        'source = "ents"',
    )


class _Endless:
    """An automaton that never comes to an end."""

    def start(self) -> int:
        return 0

    def done(self, state: int) -> bool:
        return False

    def allowed(self, state: int) -> tuple[int, int]:
        return (1, 2)

    def step(self, state: int, token: int) -> int:
        return state + 1

    def choices(self, state: int, token: int) -> list[Choice]:
        return []

    def draft(self, state: int, guess: Guess) -> list[int]:
        return [2]

    def offset(self, state: int) -> int:
        return 0


def test_c026_decoding_that_does_not_settle(rnd: Any) -> None:
    unit = Unit("Ann", ((0, 3),), (False,))

    class Stubborn:
        prefixes = None

        def cache_pool(self, tokens: int) -> None:
            return None

        def candidate_logits(self, queries: Any) -> Any:
            import numpy as np

            return [
                np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(q.positions), 1))
                for q in queries
            ]

    fails(
        "C026",
        lambda: decode(Stubborn(), [Job(unit, [0], _Endless(), Guess(unit))]),
        "3 characters",
        "report",
    )  # type: ignore[arg-type]


# -- Training ------------------------------------------------------------------------


def _extractor(base: Path, **more: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", config={"model": util.model_config(base), **more})
    return nlp


def test_c030_no_entity_in_the_training_data(base: Path, tmp_path: Path) -> None:
    nlp = _extractor(base)
    empty = util.examples(nlp, [("Nothing here.", [])] * 3)
    fails(
        "C030",
        lambda: SFT(["cascade_extractor"], max_steps=1).run(nlp, empty, [], tmp_path),
        "3 documents",
        "cascade_extractor",
    )


def test_c030_no_documents(base: Path, tmp_path: Path) -> None:
    fails(
        "C030",
        lambda: SFT(["cascade_extractor"], max_steps=1).run(
            _extractor(base), [], [], tmp_path
        ),
        "0 documents",
    )


def test_c031_lexicon_without_files(tmp_path: Path) -> None:
    fails(
        "C031",
        lambda: MentionReplacer.from_dir(tmp_path, builtin("dynamicner")),
        str(tmp_path),
        "no <language>.json",
    )


def test_c001_lexicon_with_an_unknown_type(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text('{"no such type": ["a"]}')
    fails(
        "C001",
        lambda: MentionReplacer.from_dir(tmp_path, builtin("dynamicner")),
        "no such type",
    )


def test_c033_config_without_finetune(tmp_path: Path) -> None:
    from spacy_cascade.cli.finetune import finetune

    util.blank().config.to_disk(tmp_path / "c.cfg")
    fails(
        "C033",
        lambda: finetune(tmp_path / "c.cfg", tmp_path / "out"),
        "[finetune]",
        "spacy train",
    )


def test_c034_loss_that_is_not_finite(base: Path, tmp_path: Path) -> None:
    nlp = _extractor(base)
    loop = SFT(
        ["cascade_extractor"],
        max_steps=20,
        learn_rate=1e30,
        clip=0,
        warmup=0,
        save_every=0,
    )
    fails(
        "C034",
        lambda: loop.run(nlp, util.examples(nlp), [], tmp_path),
        "step",
        "Lower the learning rate",
    )


@pytest.mark.parametrize(
    "names", [[], ["nobody"], ["sentencizer"], ["cascade_extractor", "nobody"]]
)
def test_c035_nothing_to_train(base: Path, tmp_path: Path, names: list[str]) -> None:
    nlp = _extractor(base)
    nlp.add_pipe("sentencizer")
    loop = SFT(names, max_steps=1)
    fails(
        "C035",
        lambda: loop.run(nlp, util.examples(nlp), [], tmp_path),
        "cascade_extractor, sentencizer",
        *names,
    )


def test_c037_adapter_targets_that_match_nothing(base: Path) -> None:
    pipe: Any = _extractor(
        base, adapter={"rank": 2, "targets": ["no_such_module"]}
    ).get_pipe("cascade_extractor")
    fails("C037", pipe.start_training, "no_such_module", "q_proj")


# -- Serialization: C013, C016, C018, C040, C041 and C042 on whole pipelines are in
# test_serialization.py --------------


def test_c040_not_a_component_directory(base: Path, tmp_path: Path) -> None:
    pipe: Any = _extractor(base).get_pipe("cascade_extractor")
    fails(
        "C040",
        lambda: pipe.from_disk(tmp_path),
        str(tmp_path),
        "cascade.json",
        "'cascade_extractor'",
    )


def test_c041_no_base_to_load(base: Path, tmp_path: Path) -> None:
    pipe: Any = _extractor(base, save_weights="adapter").get_pipe("cascade_extractor")
    pipe.start_training()
    pipe.to_disk(tmp_path / "p")
    empty: Any = util.blank().add_pipe("cascade_extractor")
    fails(
        "C041",
        lambda: empty.from_disk(tmp_path / "p"),
        'save_weights = "adapter"',
        str(base),
    )


def test_c042_adapter_only_would_lose_trained_weights(
    base: Path, tmp_path: Path
) -> None:
    pipe: Any = _extractor(base, save_weights="adapter", adapter=None).get_pipe(
        "cascade_extractor"
    )
    pipe.start_training()
    fails(
        "C042",
        lambda: pipe.to_disk(tmp_path / "p"),
        'save_weights = "full"',
        "cascade_extractor",
    )
