"""Every message of the corpus tools.

A message says what is wrong, the value found and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class CorpusError(ValueError):
    """An error with a code (`err.code`), so that programs can tell errors apart without
    reading the text.
    """

    def __init__(self, message: str):
        super().__init__(message)
        self.code = message[1:5] if message.startswith("[T") else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (str(self),))


class CorpusFileNotFoundError(CorpusError, FileNotFoundError):
    """A file or directory that should be there is not."""


class Errors:
    """Message templates: `raise CorpusError(Errors.T001.format(...))`."""

    T001 = (
        "[T001] There is no file or directory '{path}'. Check the path; relative paths start at"
        " '{cwd}'."
    )
    T002 = (
        "[T002] Can't tell the format of '{path}': {why}. Give it with --from, one of:"
        " {formats}."
    )
    T003 = "[T003] Unknown {option} {value!r}. Choose one of: {choices}."
    T004 = (
        "[T004] '{path}' is not a DocBin: {why}. Make one with `python -m corpus_tools"
        " convert`, or give its real format with --from."
    )
    T005 = "[T005] '{path}' is not readable as {format}: {why}."
    T006 = (
        "[T006] {n} mention(s) or record(s) of '{path}' were rejected and --strict is on, so"
        " '{target}' was not written. See the report, or leave out --strict."
    )
    T007 = (
        "[T007] No file of a known format was found below '{path}'. Known formats: {formats};"
        " known endings: {endings}."
    )
    T008 = "[T008] {option} must be {rule}, but is {value!r}."
    T009 = (
        "[T009] Can't read the taxonomy '{name}': {why}. Give 'dynamicner' or the path of a"
        " taxonomy file."
    )
    T010 = (
        "[T010] '{a}' and '{b}' would both be written to '{target}'. Convert them one by one,"
        " into two directories."
    )
    T011 = (
        "[T011] The level word {level!r} needs a taxonomy of {depth} levels or a list of types,"
        " but there is neither for the record {record} of '{path}'. Give types to the writer,"
        " or use level 'none' with records that carry labels."
    )
    T012 = (
        "[T012] The tokenizer of the pipeline '{lang}' changes the text of record {record} of"
        " '{path}': {found!r}. Use a tokenizer that keeps every character, such as"
        " spacy-cascade.MultilingualTokenizer.v1."
    )
    T020 = (
        "[T020] Can't fetch '{repo}': {why}. Where there is no network, download it elsewhere"
        " (`huggingface-cli download --repo-type dataset {repo}`), copy the directory here, and"
        " give its path to `python -m corpus_tools convert`."
    )
    T021 = (
        "[T021] Can't fetch '{repo}', because the package huggingface_hub is not installed."
        " Install it: `pip install huggingface_hub`."
    )
    T030 = (
        "[T030] The metrics need mentions with a type and an embedding of length one, but found"
        " {found}. Use a corpus with annotated mentions and an embedder whose vectors are"
        " neither zero nor NaN."
    )
    T031 = (
        "[T031] Can't read the synonym table '{name}': {why}. Give one of the languages that"
        " have a table ({known}), the path of a JSON file, or 'none'."
    )
    T032 = (
        "[T032] Synonym table '{source}': {name!r} of '{path}' {why}. Choose another name, or"
        " remove it."
    )
    T033 = (
        "[T033] '{path}' has no mention that could get a type list ({records} record(s),"
        " {rejected} mention(s) without a place in their sentence). Give a corpus with"
        " annotated mentions."
    )
    T034 = (
        "[T034] {mentions} mention(s) of {types} type(s) are not in the taxonomy '{taxonomy}':"
        " {names}. Give another --taxonomy, or --taxonomy labels to take the corpus's own"
        " types, or map the labels first."
    )
    T035 = (
        "[T035] '{path}' has only the type '{name}' ({mentions} mention(s)), so that there is"
        " nothing to balance or to choose from. Give a corpus with at least two types."
    )
    T036 = (
        "[T036] A type list needs at least {least} types, but for '{name}' the taxonomy"
        " '{taxonomy}' offers only {found}: {names}. Give a --taxonomy with more types."
    )
    T037 = (
        "[T037] '{path}' exists and is not empty. Give --overwrite to replace what this command"
        " writes there, or another directory."
    )
    T038 = (
        "[T038] The type list of mention {mention} {why}: {names}. This is a defect of the"
        " list; please report it with the command that made it."
    )
    T039 = (
        "[T039] '{path}' has no sub-directory with a corpus. --each makes one output per"
        " sub-directory; leave it out for a single corpus."
    )
    T041 = (
        "[T041] Can't load the sentence embedder '{name}': {why}. Give a directory or hub name"
        " of a sentence-transformers model (`pip install sentence-transformers`), or 'hash',"
        " which needs neither."
    )
    T042 = (
        "[T042] The embedder gave {n} of {total} texts a vector of zeros, NaN or infinity,"
        " first {text!r}. Use another embedder, or remove such texts."
    )
    T050 = (
        "[T050] Label map '{name}' goes in a circle: {path}. Let each raw name point to a name"
        " of the taxonomy that is no other raw name of the set."
    )
    T051 = (
        "[T051] Label map '{name}' has a chain: {path}. Applied twice it would give other"
        " labels than applied once. Point {first!r} to another name, or {second!r} to the same"
        " one."
    )
    T052 = (
        "[T052] Label map '{name}' points {raw!r} to {target!r}, which the taxonomy"
        " '{taxonomy}' does not have. Close names: {close}."
    )
    T053 = (
        "[T053] Label map '{name}' says nothing about {n} label(s) of the data, first {raw!r}"
        " ({mentions} mention(s)). Add an entry, null with a reason to drop it; `standardize"
        " --suggest` proposes targets."
    )
    T054 = (
        "[T054] Label map '{name}' has {n} raw name(s) that no mention of the data has, first"
        " {raw!r}. Names in the data: {found}. Correct the spelling or remove the entry."
    )
    T055 = (
        "[T055] '{path}' is no label map: {why}. A map is a JSON object like {{\"language\":"
        ' "en", "dataset": "x", "labels": {{"raw name": "parent -> child", "unused": null}},'
        ' "reasons": {{"unused": "why"}}}}.'
    )
    T056 = (
        "[T056] Label map '{name}' {what} {raw!r}. Every raw name that points to null, and no"
        ' other, needs a sentence under "reasons".'
    )
    T057 = (
        "[T057] {n} target(s) mean different things in different data sets, first {target!r}:"
        " in {narrow} it stands beside {part!r} and so leaves that out, in {wide} ({raw!r}) it"
        " includes it. Point the former to {remedy!r}, or give both names of their own."
    )
    T058 = (
        "[T058] There is no label map for the data set '{name}'. Maps here: {known}. Write"
        " {path}, or give one with --map."
    )
    T059 = (
        "[T059] {n} pair(s) of labels known to conflict share a target, first {a} and {b}:"
        " {target!r}. Give them different targets."
    )
    T060 = (
        "[T060] Conflicts need at least two data sets with mentions, but {n} was found below"
        " {paths}{why}. Give directories that hold train/dev/test files, or directories of such"
        " directories."
    )
    T061 = (
        "[T061] '{path}' holds conflicts already. Give another output, or --overwrite; trained"
        " taggers are used again either way."
    )
    T063 = (
        "[T063] No two of the {n} data sets have types with equal or related names, so nothing"
        " can be compared ({shown}). Standardize the names with --label-map, or give another"
        " --taxonomy."
    )
    T064 = (
        "[T064] {n} data set(s) have a type like {types}, but it takes two. Types that several"
        " sets have: {known}."
    )
    T065 = (
        "[T065] {path} is no config for taggers: {why}. Take"
        " corpus_tools/data/conflicts_tok2vec.cfg as an example; all keys are those of `spacy"
        " train`."
    )
    T066 = '[T066] \'{path}\' is no JSON object of names: {why}. Write {{"one name": "another"}}.'
    T070 = (
        "[T070] There is no file '{split}.*' below '{path}'. Give another --split, or --split"
        " '' for all files."
    )
    T071 = (
        "[T071] {n} file(s) that would be written exist already, first '{path}'. Give another"
        " output, or --overwrite."
    )
    T072 = (
        "[T072] An embedder must give one vector per text, but for {n} text(s) it gave an array"
        " of shape {shape}. Use another embedder."
    )
    T073 = (
        "[T073] '{path}' holds an unfinished run with other options. Run it to its end with"
        " these, or give --overwrite to start anew."
    )
    T074 = "[T074] Can't prune: {why}. Give {remedy}."
    T075 = (
        "[T075] The reference files hold no sentence, so there is nothing to compare with. Give"
        " other files with --against."
    )
    T076 = (
        "[T076] {n} file(s) are input and reference at once, first '{path}': all of their"
        " records would go. Leave them out of one of the two."
    )
    T077 = (
        "[T077] Near duplicates need the package datasketch, which is not installed. Install"
        " it: `pip install datasketch`, or give --no-near."
    )
    T078 = "[T078] Can't sample '{name}': {why}. Give {remedy}."
    T079 = (
        "[T079] Can't split '{name}' by coarse types: {why}. Give a --taxonomy that its labels"
        " are in, or other types or data."
    )
    T080 = (
        "[T080] No record could be read from {paths} ({n} rejected). `python -m corpus_tools"
        " convert` lists what is wrong with them; --from gives the format."
    )
    T081 = (
        "[T081] A report is an HTML page, but the last argument is '{path}'. Give the sources"
        " first and then a file that ends in .html."
    )
    T082 = (
        "[T082] '{path}' holds no ranked list of conflicts: {why}. Write one with `python -m"
        " corpus_tools conflicts`."
    )
    T083 = (
        "[T083] Figures need the package matplotlib, which is not installed. Install it: `pip"
        " install matplotlib`."
    )
    T084 = (
        "[T084] '{path}' is not text in {encoding}: {why}. Give its encoding with `convert"
        " --encoding`, such as cp1252, cp1250, cp1251, koi8-r, gb18030, shift_jis or utf-16."
    )
    T085 = (
        "[T085] {n} of the first {rows} lines of '{path}' are not understood. Expected:"
        " {expected}. Found on line {line}: {found}. Give --separator, --token-column,"
        " --tag-column or --scheme, another format with --from, or --force to go on with the"
        " lines that are understood."
    )
    T086 = "[T086] '{path}' holds no {what}. Expected: {expected}. Found: {found}."
    T087 = (
        "[T087] {n} of {total} {what} of '{path}' are not understood, so nothing was made of"
        " it. Expected: {expected}. The first: {reason}. Correct the file, give another format"
        " with --from, or --force to go on with the rest."
    )
    T088 = (
        "[T088] '{path}' has no '{beside}' beside it. BRAT keeps a text in a .txt file and its"
        " annotation in an .ann file of the same name, empty where nothing is annotated."
    )
    T089 = (
        "[T089] The '{key}' of '{path}' are numbers, and nothing says which tags these are."
        ' Expected: tags like "B-PER" and "O", or a {info} beside the file, as datasets writes'
        ' it, with {{"features": {{"{key}": {{"feature": {{"names": ["O", "B-PER",'
        " ...]}}}}}}}}."
    )
    T090 = (
        "[T090] The tags of '{path}' are not understood. Expected: B-PER, I-PER and O, also"
        " BIOES letters, or PER and O. Found: {found}. Correct the file."
    )
    T111 = (
        "[T111] The output '{target}' would overwrite the input '{source}': they are the same,"
        " or one lies in the other (links followed). Give another output."
    )
    T112 = (
        "[T112] Can't read or write '{path}': {why}. Check the permissions and the room on the"
        " disk, or give another path."
    )
    T110 = (
        "[T110] The sentence embedder '{name}' names code that is not of sentence-transformers,"
        " '{found}', which loading it would run. If you trust its source, set the environment"
        " variable {variable}=1; otherwise take another embedder."
    )


def check_choice(option: str, value: object, choices: Iterable[str]) -> None:
    """RAISES CorpusError: T003 if a value is none of the choices."""
    names = list(choices)
    if value not in names:
        message = Errors.T003.format(
            option=option, value=value, choices=", ".join(names)
        )
        raise CorpusError(message)


def check_rule(option: str, rule: str, value: object, *, kept: bool) -> None:
    """RAISES CorpusError: T008 if a value breaks a rule."""
    if not kept:
        raise CorpusError(Errors.T008.format(option=option, rule=rule, value=value))
