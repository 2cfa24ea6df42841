"""`spacy cascade finetune`: run the training loop of a config's [finetune] block."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import typer
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu
from wasabi import msg

from ..errors import CascadeError, Errors
from ..training.devices import on_cpus, settle_device, several_processes
from ._app import cascade_app
from ._util import refuse_overlap, show_errors

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
    overrides: dict[str, Any] | None = None,
    resume: bool = True,
    use_gpu: int = -1,
    silent: bool = False,
) -> dict[str, Any]:
    """RETURNS (dict): Steps, minutes and best dev scores.

    RAISES CascadeError: C033, C123, and those of the loop.
    """
    from spacy import util
    from spacy.training.initialize import init_nlp

    from ..doc.corpus import read_once
    from ..registry import registry
    from ..training.sft import drop_removed_options

    config = util.load_config(config_path, overrides=overrides or {}, interpolate=False)
    inputs = config.interpolate().get("paths", {}).values()
    read: list[Path | str] = [config_path]
    read += (path for path in inputs if path and isinstance(path, str))
    refuse_overlap(read, [output / name for name in WRITTEN])
    if "finetune" not in config:
        raise CascadeError(Errors.C033)
    if config["finetune"].get("@training_loops") == "spacy-cascade.SFT.v1":
        drop_removed_options(config["finetune"])
    # spaCy insists on these two; a config for `finetune` need not have a [training] block
    for key, value in (("seed", 0), ("gpu_allocator", None)):
        config.setdefault("training", {}).setdefault(key, value)
    use_gpu = settle_device(use_gpu, cpu=on_cpus(config.interpolate()["components"]))
    with read_once():
        nlp = init_nlp(config, use_gpu=use_gpu)
        interpolated = nlp.config.interpolate()
        loop = registry.resolve({"finetune": interpolated["finetune"]})["finetune"]
        corpora = registry.resolve({"corpora": interpolated["corpora"]})["corpora"]
        train, dev = (
            list(corpora[getattr(loop, k).split(".", 1)[1]](nlp))
            for k in ("train_corpus", "dev_corpus")
        )

    def report(info: dict[str, Any]) -> None:
        losses = " ".join(f"{k}={v:.4f}" for k, v in info["losses"].items())
        scores = " ".join(
            f"{k}: " + " ".join(f"{n}={x:.3f}" for n, x in v.items() if n != "score")
            for k, v in info["dev"].items()
        )
        msg.text(
            f"step {info['step']:>6}  {info['minutes']:>6.1f} min  loss {losses}  dev {scores}"
        )

    result = loop.run(
        nlp,
        train,
        dev,
        output,
        resume=resume,
        report=(lambda i: None) if silent else report,
    )
    if not silent:
        msg.good(
            f"{result['steps']} steps in {result['minutes']:.1f} minutes; best at step"
            f" {result['best'].get('step')}",
            output / "model-best",
        )
    return result
