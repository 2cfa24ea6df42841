"""`spacy cascade finetune`: run the training loop of a config's [finetune] block."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import typer
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu
from spacy.language import Language
from spacy.training import Example
from wasabi import msg

from ..errors import CascadeError, Errors
from ..files import JsonObject
from ..training.devices import on_cpus, settle_device, several_processes
from ._app import cascade_app
from ._util import refuse_overlap, show_errors

if TYPE_CHECKING:
    from ..training.loop import Progress, Result

Reader: TypeAlias = Callable[[Language], Iterable[Example]]

# What a run writes into its directory.
WRITTEN = ("model-best", "model-last", "checkpoint", "log.jsonl")


@cascade_app.command(
    "finetune",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def finetune_cli(
    ctx: typer.Context,
    config_path: Path = typer.Argument(
        ..., help="Config with a [finetune] block", exists=True, dir_okay=False
    ),
    output: Path = typer.Option(
        ...,
        "--output",
        "-o",
        help="Directory for model-best, model-last, checkpoint, log.jsonl",
    ),
    code: Path = typer.Option(
        None, "--code", "-c", help="Python file with registered functions"
    ),
    resume: bool = typer.Option(
        True, help="Go on from a checkpoint in the output directory"
    ),
    gpu_id: int = typer.Option(
        -1,
        "--gpu-id",
        "-g",
        help="GPU, or -1: as the config says. `accelerate launch` gives each process its own",
    ),
    verbose: bool = typer.Option(False, "--verbose", "-V"),
) -> None:
    """Fine-tune components with a registered training loop.

    Settings can be overridden: --finetune.max_steps 100
    """
    if verbose:
        logging.getLogger("spacy_cascade").setLevel(logging.INFO)
    import_code(code)
    if not several_processes() and (gpu_id < 0 or not torch_has_gpu()):
        setup_gpu(gpu_id)
    with show_errors():
        finetune(
            config_path,
            output,
            overrides=parse_config_overrides(ctx.args),
            resume=resume,
            use_gpu=gpu_id,
        )


def torch_has_gpu() -> bool:
    """Whether PyTorch can use a GPU; spaCy's own check asks for CuPy, which nothing here needs."""
    import torch

    return torch.cuda.is_available()


def finetune(
    config_path: Path,
    output: Path,
    *,
    overrides: JsonObject | None = None,
    resume: bool = True,
    use_gpu: int = -1,
    silent: bool = False,
) -> Result:
    """Run the training loop of a config's [finetune] block.

    config_path (Path): The config.
    output (Path): Directory for model-best, model-last, checkpoint and log.jsonl.
    overrides (Optional[dict]): Settings in the place of the config's, such as
        {"finetune.max_steps": 100}.
    resume (bool): Go on from a checkpoint in `output` if there is one.
    use_gpu (int): GPU, or -1: as the config says.
    silent (bool): Print nothing.
    RETURNS (Result): Steps, minutes and best dev scores.
    RAISES CascadeError: C033, C123, and those of the loop.
    """
    from spacy import util
    from spacy.training.initialize import init_nlp

    from ..doc.corpus import read_once
    from ..registry import registry
    from ..training.sft import drop_removed_options

    config = util.load_config(config_path, overrides=overrides or {}, interpolate=False)
    inputs = config.interpolate().get("paths", {}).values()
    named = [path for path in inputs if path and isinstance(path, str)]
    refuse_overlap([config_path, *named], [output / name for name in WRITTEN])
    if "finetune" not in config:
        raise CascadeError(Errors.C033)
    if config["finetune"].get("@training_loops") == "spacy-cascade.SFT.v1":
        drop_removed_options(config["finetune"])
    # spaCy insists on these two; a config for `finetune` need not have a [training] block
    training = config.setdefault("training", {})
    training.setdefault("seed", 0)
    training.setdefault("gpu_allocator", None)

    use_gpu = settle_device(use_gpu, cpu=on_cpus(config.interpolate()["components"]))
    with read_once():
        nlp = init_nlp(config, use_gpu=use_gpu)
        interpolated = nlp.config.interpolate()
        loop = registry.resolve({"finetune": interpolated["finetune"]})["finetune"]
        corpora = registry.resolve({"corpora": interpolated["corpora"]})["corpora"]
        train = list(_corpus(corpora, loop.train_corpus)(nlp))
        dev = list(_corpus(corpora, loop.dev_corpus)(nlp))

    report = _ignore if silent else print_progress
    result: Result = loop.run(nlp, train, dev, output, resume=resume, report=report)
    if not silent:
        msg.good(
            f"{result['steps']} steps in {result['minutes']:.1f} minutes; best at step"
            f" {result['best'].get('step')}",
            output / "model-best",
        )
    return result


def _corpus(corpora: Mapping[str, Reader], name: str) -> Reader:
    """name (str): As a config names a corpus: "corpora.train"."""
    return corpora[name.split(".", 1)[1]]


def print_progress(info: Progress) -> None:
    """A line per evaluation."""
    losses = [f"{name}={loss:.4f}" for name, loss in info["losses"].items()]
    components = []
    for name, scores in info["dev"].items():
        shown = [f"{key}={x:.3f}" for key, x in scores.items() if key != "score"]
        components.append(f"{name}: {' '.join(shown)}")
    msg.text(
        f"step {info['step']:>6}  {info['minutes']:>6.1f} min  loss {' '.join(losses)}"
        f"  dev {' '.join(components)}"
    )


def _ignore(info: Progress) -> None:
    pass
