"""`spacy cascade base`: a tokenizer and a small model from nothing."""

from pathlib import Path

import typer
from wasabi import msg

from ..errors import CascadeError, Errors
from ._app import cascade_app
from ._util import read_docs, refuse_overlap, show_errors


@cascade_app.command("base")
def base_cli(
    output: Path = typer.Argument(..., help="Directory for the model"),
    corpus: list[Path] = typer.Argument(
        ..., help="DocBins (.spacy) to train the tokenizer on"
    ),
    vocab_size: int = typer.Option(8000, help="Size of the tokenizer's vocabulary"),
    hidden_size: int = typer.Option(128, help="Width of the model; a multiple of 32"),
    layers: int = typer.Option(4, min=1, help="Number of layers"),
    dropout: float = typer.Option(0.0, help="Dropout of attention"),
    neighbours: bool = typer.Option(
        True,
        help="Point the heads of the first layer at neighbouring tokens, to begin with",
    ),
    case_marks: bool = typer.Option(True, help="Write case as a token of its own"),
    lexicon: Path = typer.Option(
        None, help="Directory of <language>.json name lists, for the tokenizer"
    ),
    type_tokens: bool = typer.Option(
        True, help="Give every type name of the corpus a token of its own"
    ),
    seed: int = typer.Option(0, help="Of the random weights"),
) -> None:
    """Build a tiny causal LM: train a byte-level BPE tokenizer on a corpus, initialize
    a small Qwen2 model.

    The weights are random: train them with `spacy cascade finetune configs/base.cfg`.
    """
    with show_errors():
        refuse_overlap([*corpus, lexicon], [output], replaced=True)
        if hidden_size < 32 or hidden_size % 32:
            raise CascadeError(
                Errors.C021.format(
                    option="hidden_size", rule="a multiple of 32", value=hidden_size
                )
            )
        n = build(
            output,
            corpus,
            lexicon=lexicon,
            vocab_size=vocab_size,
            hidden_size=hidden_size,
            layers=layers,
            heads=hidden_size // 32,
            intermediate_size=3 * hidden_size,
            dropout=dropout,
            neighbours=neighbours,
            case_marks=case_marks,
            type_tokens=type_tokens,
            seed=seed,
        )
    msg.good(f"Tiny base from {n} documents", output)


def build(
    output: Path,
    corpus: list[Path],
    *,
    lexicon: Path | None = None,
    type_tokens: bool = True,
    **options: object,
) -> int:
    """Train a tokenizer and write a model with random weights.

    options (object): See `models.tiny.build_base`.
    RETURNS (int): Number of documents the tokenizer was trained on.
    """
    import srsly
    from spacy.vocab import Vocab

    from ..doc.gold import gold_chars
    from ..models.tiny import build_base
    from ..pipeline.windows import make_unit
    from ..taxonomy import normalize_name

    vocab = Vocab()
    segments: list[str] = []
    types: set[str] = set()
    n = 0
    for path in corpus:
        for doc in read_docs(path, vocab):
            n += 1
            for _, _, type_path in gold_chars(doc):
                # as the compact templates write them
                types.update(normalize_name(name) for name in type_path)
            if len(doc):
                segments += make_unit(doc, 0, len(doc)).segments()
    if lexicon is not None:
        for file in sorted(Path(lexicon).glob("*.json")):
            for names in srsly.read_json(file).values():
                for name in names:
                    segments += [f" {word}" for word in name.split()]

    tokens = sorted(types) if type_tokens else ()
    build_base(output, segments, types=tokens, **options)  # type: ignore[arg-type]
    return n
