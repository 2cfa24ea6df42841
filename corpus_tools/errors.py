"""Every message of the corpus tools. A message says what is wrong, the value found and the remedy."""

from __future__ import annotations

from typing import Any


class CorpusError(ValueError):
    """An error with a code (`err.code`), so that programs can tell errors apart without reading the text."""

    def __init__(self, message: str):
        super().__init__(message)
        self.code = message[1:5] if message.startswith("[T") else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (str(self),))


class CorpusFileNotFoundError(CorpusError, FileNotFoundError):
    """A file or directory that should be there is not."""


class Errors:
    """Message templates: `raise CorpusError(Errors.T001.format(...))`."""

    T001 = "[T001] There is no file or directory '{path}'. Check the path; relative paths start at '{cwd}'."
    T002 = "[T002] Can't tell the format of '{path}': {why}. Give it with --from, one of: {formats}."
    T003 = "[T003] Unknown {option} {value!r}. Choose one of: {choices}."
    T004 = "[T004] '{path}' is not a DocBin: {why}. Make one with `python -m corpus_tools convert`, or give its real format with --from."
    T005 = "[T005] '{path}' is not readable as {format}: {why}."
    T006 = "[T006] {n} mention(s) or record(s) of '{path}' were rejected and --strict is on, so '{target}' was not written. See the report, or leave out --strict."
    T007 = "[T007] No file of a known format was found below '{path}'. Known formats: {formats}; known endings: {endings}."
    T008 = "[T008] {option} must be {rule}, but is {value!r}."
    T009 = "[T009] Can't read the taxonomy '{name}': {why}. Give 'dynamicner' or the path of a taxonomy file."
    T010 = "[T010] '{a}' and '{b}' would both be written to '{target}'. Convert them one by one, into two directories."
    T011 = "[T011] The level word {level!r} needs a taxonomy of {depth} levels or a list of types, but there is neither for the record {record} of '{path}'. Give types to the writer, or use level 'none' with records that carry labels."
    T012 = "[T012] The tokenizer of the pipeline '{lang}' changes the text of record {record} of '{path}': {found!r}. Use a tokenizer that keeps every character, such as spacy-cascade.MultilingualTokenizer.v1."
    T020 = "[T020] Can't fetch '{repo}': {why}. Where there is no network, download it elsewhere (`huggingface-cli download --repo-type dataset {repo}`), copy the directory here, and give its path to `python -m corpus_tools convert`."
    T021 = "[T021] Can't fetch '{repo}', because the package huggingface_hub is not installed. Install it: `pip install huggingface_hub`."
