"""How a result came about: command, commit, versions and machine.

Neither host names nor places of a machine are told.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("spacy-cascade", "spacy", "torch", "transformers", "tokenizers", "numpy")
# What decides how fast the model's products are.
INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "asimd",
    "sve",
)


def provenance() -> dict[str, Any]:
    """What every run file says of itself."""
    return {
        "command": command(),
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
    }


def command() -> str:
    """The command line; of absolute paths only the last part."""
    words = ["python"]
    for word in sys.argv:
        path = Path(word)
        words.append(f"<{path.name}>" if path.is_absolute() else word)
    return " ".join(words)


def commit() -> str | None:
    """The checked-out commit, "+" if files differ from it; None outside of a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        line = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Model and instruction sets of the processor, cores and torch's threads."""
    import torch

    about = _cpuinfo()
    flags = about.get("flags", about.get("Features", "")).split()
    name = about.get("model name") or platform.processor() or platform.machine()
    out: dict[str, Any] = {
        "processor": name,
        "instructions": [flag for flag in INSTRUCTIONS if flag in flags],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        out["gpu"] = torch.cuda.get_device_name()
    return out


def _cpuinfo() -> dict[str, str]:
    """What Linux tells of the first processor; empty elsewhere."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    first = file.read_text("utf8").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
