"""Every message of the project.

A message says what is wrong, the value found, the remedy and the names that exist.
"""

from __future__ import annotations


class CascadeError(ValueError):
    """An error with a code (`err.code`), so that programs can tell errors apart without
    reading the text.
    """

    def __init__(self, message: str):
        super().__init__(message)
        self.code = message[1:5] if message.startswith("[C") else ""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (type(self), (str(self),))


class CascadeTypeError(CascadeError, TypeError):
    """A value of the wrong kind."""


class CascadeFileNotFoundError(CascadeError, FileNotFoundError):
    """A file or directory that should be there is not."""


class Errors:
    """Message templates: `raise CascadeError(Errors.C001.format(...))`."""

    # Taxonomy
    C001 = (
        "[C001] '{name}' is not in taxonomy '{taxonomy}'. Did you mean: {close}? It has {n}"
        " types, among them: {some}."
    )
    C002 = (
        "[C002] '{name}' is ambiguous in taxonomy '{taxonomy}': {paths}. Give the whole path,"
        " joined with ' > '."
    )
    C003 = "[C003] The taxonomy or label list is empty. Give at least one type name."
    C004 = (
        "[C004] Can't read a taxonomy from {source}: {why}. Known forms: nested dict, flat"
        " 'first-level' JSON, list of 'parent->child' names, plain list, {{'tree': ...}}."
    )
    C005 = (
        "[C005] The types '{other}' and '{name}' under '{parent}' differ in nothing but case or"
        " white space. Names must differ among siblings: give one of them another name."
    )
    C006 = (
        "[C006] A type name must be a non-empty string without '{sep}' or line breaks, but"
        " found {name!r}."
    )
    # Models
    C010 = (
        "[C010] The component '{name}' has no language model. Load a trained pipeline with"
        ' spacy.load(): nlp = spacy.load("xx_cascade_open_sm"), or nlp.add_pipe("{kind}",'
        ' source=spacy.load("xx_cascade_open_sm")); `make open-sm` of the project installs that'
        ' one. With a causal LM of a directory or the hub: nlp.add_pipe("{kind}",'
        ' config={{"model": "Qwen/Qwen2.5-0.5B"}}), which is [components.{name}.model] name in'
        " a config."
    )
    C011 = (
        "[C011] Can't load a causal language model from '{path}': {why}. The directory must"
        " hold config.json, a tokenizer and *.safetensors of a model with a language-modelling"
        " head (for example Qwen2.5)."
    )
    C012 = (
        "[C012] '{path}' is not on disk and the hub can't be reached ({why}). Download it once"
        " where there is a network (`huggingface-cli download {path}`), or give a local"
        " directory."
    )
    C013 = (
        "[C013] The adapter directory '{path}' is missing or incomplete ({why}). It must hold"
        " adapter_config.json and adapter_model.safetensors."
    )
    C015 = (
        "[C015] The tokenizer of '{path}' lacks {what}. Tokens needed by the template:"
        " {needed}."
    )
    C016 = (
        "[C016] The adapter in '{path}' was trained on another base: its base has hash"
        " {expected}, but the loaded base has {found}. Load the base it was trained on: {base}."
    )
    C017 = (
        "[C017] The shared language model '{component}' was not found in the pipeline (it has:"
        " {pipes}). Add that component before this one, or give the component its own [model]."
    )
    C018 = (
        "[C018] Weights in '{path}' are damaged or unreadable: {why}. Copy the directory again"
        " or go back to an older checkpoint."
    )
    C019 = (
        "[C019] The weights of '{path}' come as a pickle ({files}), which can run code when"
        " loaded. Convert them to safetensors, or, if you trust the source, set allow_pickle ="
        " true and the environment variable SPACY_CASCADE_ALLOW_PICKLE=1."
    )
    # Decoding and components
    C020 = "[C020] Unknown value {value!r} for '{option}'. Choose one of: {choices}."
    C021 = "[C021] '{option}' must be {rule}, but is {value!r}."
    C022 = (
        "[C022] A sequence of {found} tokens does not fit into the model's window of {limit}."
        " Lower max_tokens of the component, give fewer types at a time (more levels, or other"
        " labels), or use a model with a longer context."
    )
    C023 = (
        "[C023] A type list is empty: the taxonomy offers no type at level {level} below"
        " '{parent}'."
    )
    C024 = (
        "[C024] The per-document label set in doc.user_data['{key}'] must be a list of type"
        " names, a nested dict or a Taxonomy, but is {found}."
    )
    C025 = (
        "[C025] '{name}' reads candidate mentions from doc.spans['{key}'], which no component"
        " set. Add 'cascade_extractor' before it, or set source = \"ents\" to refine the"
        " entities of another component."
    )
    C026 = (
        "[C026] Copy verification did not settle within {passes} passes on a text of {n}"
        " characters. This is a defect: please report the text and model."
    )
    # Training
    C030 = "[C030] The training data holds no usable example for '{name}': {why}."
    C031 = (
        "[C031] '{path}' is not a DocBin of gold documents for '{name}': {why}. Make one with"
        " `python -m corpus_tools convert`."
    )
    C032 = (
        "[C032] The checkpoint '{path}' can't be used: {why}. Delete it to start again, or keep"
        " an older one beside it."
    )
    C033 = (
        "[C033] The config has no [finetune] block. Add one with @training_loops ="
        ' "spacy-cascade.SFT.v1", or use `spacy train`.'
    )
    C034 = (
        "[C034] The loss is not finite at step {step} ({loss}). Lower the learning rate, or use"
        " full precision."
    )
    C035 = (
        "[C035] No component of this pipeline can be fine-tuned by this loop: [finetune]"
        " components = {found}, the pipeline has: {pipes}."
    )
    C036 = (
        "[C036] The checkpoint '{path}' belongs to another run: its settings differ in {keys}."
        " Use another --output or delete it."
    )
    C037 = (
        "[C037] The adapter target {targets} matches no module of the base model. Modules:"
        " {modules}."
    )
    # Serialization
    C040 = (
        "[C040] '{path}' holds no '{what}' of this component. Was it written by to_disk() of"
        " '{name}'?"
    )
    C041 = (
        "[C041] '{path}' was saved without weights (save_weights = \"{saved}\") and [model]"
        " gives no base to load. Set [components.{name}.model] name to the base '{base}'."
    )
    C042 = (
        "[C042] '{name}' has fully trained weights of its own, which save_weights = \"adapter\""
        ' would lose. Set save_weights = "full" in [components.{name}].'
    )

    # Settings
    C080 = (
        "[C080] '{option}' of the component '{name}' can't be {found}. Give {expected}."
    )
    C081 = (
        "[C081] The template of '{name}' was replaced on the component, which can't be saved:"
        " what is loaded would ask with that of the config. Give it in"
        " [components.{name}.template]."
    )

    # Open NER
    C050 = (
        "[C050] '{name}' can't put {n} labels into the prompt: with instruction, descriptions"
        " and examples that takes {found} of the model's {limit} tokens. Give fewer labels (a"
        " coarser level of the taxonomy), leave out descriptions and examples, use a model with"
        " a longer context, or a template without label list."
    )
    C051 = (
        "[C051] Example {number} of the prompt can't be used: {why}; found {found}. Known form:"
        " {{'text': 'Ann met Bob', 'entities': [{{'name': 'Ann', 'type': 'person'}}]}}."
    )
    # Models, continued
    C052 = (
        '[C052] quantization = "int8" needs a CPU and a PyTorch with oneDNN, found device'
        ' \'{device}\'. Set device = "cpu", or quantization = "8bit" or null.'
    )
    C053 = (
        '[C053] quantization = "{value}" needs the package bitsandbytes, which is not'
        " installed. Install it (`pip install bitsandbytes`, for GPUs), or set quantization to"
        ' null, or to "int8" on a CPU.'
    )
    C054 = (
        "[C054] '{path}' can't be averaged with '{other}': {why}. Take models that were trained"
        " from the same one."
    )

    # Templates and pretrained models
    C105 = (
        "[C105] The weights in '{path}' were trained with the template {saved}, but"
        " [components.{name}.template] is {found}. Set template = null there to take the one"
        " they were trained with, or give the same settings."
    )
    C106 = (
        "[C106] '{name}' has no template: [components.{name}.template] is null, and no weights"
        " were loaded that bring one along (weights saved by older versions do not). Give it a"
        ' template, for example @prompts = "spacy-cascade.ChatLabeledExtract.v1".'
    )
    C107 = (
        "[C107] '{name}' in '{path}' was trained together with another component, with one"
        " adapter (hash {expected}) for both, but finds {found}. Load that component from the"
        " same training run, before this one, and set [components.{name}.model] @causal_lms ="
        ' "spacy-cascade.SharedLM.v1" with its name.'
    )
    C108 = (
        "[C108] The question {found!r} can't be asked: {why}. Names in braces: {known}; other"
        " braces are doubled."
    )
    C109 = (
        "[C109] The question about '{mention}' takes {found} tokens with its list of {n} types,"
        " but the model's window has {limit}. Give fewer types at a time (more levels, strategy"
        ' = "progressive", other labels), fewer examples, a lower max_tokens, or use a model'
        " with a longer context."
    )
    C110 = (
        "[C110] gradient_checkpointing = true, but the model '{path}' ({kind}) can't compute"
        " its activations again. Set it to false, or lower batch_tokens of [model] and"
        " batch_size of [finetune]."
    )

    C130 = (
        "[C130] The {option} of the component '{name}' can't be a {found}: it lacks {missing},"
        " which {contract} in spacy_cascade.contracts asks for. {hint}"
    )

    C131 = (
        "[C131] component_cfg of '{name}' can't give {options}: for one call there is batch_size"
        " alone. Settings are changed on the component, for all calls: {hint}. Labels of one"
        " text go into doc._.cascade_labels."
    )

    # Analysis
    C060 = "[C060] '{path}' exists. Give another file, or --overwrite."
    C061 = (
        "[C061] '{path}' holds no scores: {why}. Give the JSON file that `spacy cascade"
        " evaluate --output` wrote."
    )

    # Thresholds
    C140 = (
        "[C140] There is no score_threshold to tune: no component of the pipeline ({pipes})"
        " filters doc.ents by score. Add a cascade_classifier, an open_ner or a"
        " cascade_extractor with annotate_ents = true."
    )
    C141 = (
        "[C141] The development data has no gold mentions, so no threshold is better than"
        " another. Give a DocBin with doc.ents or doc.spans."
    )
    C142 = (
        "[C142] No threshold reaches a precision of {target}: the highest is {found}, with a"
        " threshold of {threshold}. Ask for less, or train or calibrate the pipeline first."
    )

    # GGUF files
    C092 = (
        "[C092] The base '{name}' is a file of the package '{package}', which is not installed."
        " Install it: `{install}` (without its dependencies, which are not needed)."
    )
    C093 = (
        "[C093] The package '{package}' holds no file '{file}'. GGUF files in it: {files}. "
        'Name it as "package:{package}/FILE".'
    )
    C094 = (
        "[C094] '{path}' is not a whole GGUF file: {why}. Copy or download it again, "
        "or give a file with the format's name (version 2 or 3)."
    )
    C095 = (
        "[C095] Can't read the model in '{path}', architecture '{architecture}', tensors"
        " {quantization}: {why}. Take a file whose architecture transformers reads (llama,"
        " qwen2, gemma3 ...) in a usual quantization (Q4_K, Q8_0, F16 ...), a newer"
        ' transformers or gguf, or the model\'s safetensors with "spacy-cascade.HF.v1".'
    )
    C096 = (
        "[C096] The tokenizer in '{path}' is {why}. Known are SentencePiece's BPE "
        '(tokenizer.ggml.model "llama") and byte-level BPE ("gpt2") with tokenizer.ggml.pre '
        "one of: {known}. Take the model's safetensors and tokenizer.json with "
        '"spacy-cascade.HF.v1".'
    )
    C097 = (
        "[C097] '{path}' is another file than expected: its SHA-256 is {found}, the config says"
        " {expected}. Install or download the version that the config means, or change sha256"
        " of [model]."
    )
    C098 = (
        "[C098] Reading '{path}' needs the package gguf, which is not installed. "
        'Install it: `pip install "spacy-cascade[gguf]"` or `pip install gguf`.'
    )
    C099 = (
        "[C099] Can't keep converted models in '{path}': {why}. Set the environment variable "
        "{variable} to the absolute path of a directory that can be written."
    )
    C100 = (
        "[C100] There is no file '{path}'; {why}. Give the path of a GGUF file, "
        '"package:NAME/FILE.gguf" for a file of an installed package, or '
        '"owner/repository/FILE.gguf" for one on the hub.'
    )

    # Trust
    C120 = (
        "[C120] The config of the model '{name}' asks to {meaning} ({option} = true). A config"
        " can't grant that to itself. If you trust the source, set the environment variable"
        " {variable}=1 for the process that loads it; otherwise set {option} = false."
    )
    C121 = (
        "[C121] '{path}' can only be loaded by Python code that comes with it: {why}. If you"
        " trust the source, set trust_remote_code = true and the environment variable"
        " SPACY_CASCADE_TRUST_REMOTE_CODE=1; otherwise take a model that transformers knows."
    )
    C122 = (
        "[C122] '{path}' asks for {found}, which a saved model can't decide: what is loaded"
        " lies in its own directory. {remedy}"
    )
    C123 = (
        "[C123] The output '{target}' would overwrite the input '{source}': they are the same,"
        " or one lies in the other (links followed). Give another output."
    )
    C125 = (
        "[C125] The adapter in '{path}' does not fit '{base}': {why}. It was made for another"
        " base, or with another version of transformers; load it on the base it was trained on."
    )

    # What stands on a Doc
    C075 = (
        "[C075] doc._.cascade_entities must be a list of {{'start': 0, 'end': 5, 'label':"
        " 'city', 'path': 'location > city', 'score': 0.9}}, with offsets in characters, but is"
        " {found}."
    )


class Warnings:
    """Message templates of warnings."""

    W001 = (
        "[CW01] {n} gold mention(s) do not end at token boundaries of this pipeline's tokenizer"
        " and are widened to whole tokens for training; first: {first!r}."
    )
    W002 = (
        "[CW02] {n} gold mention(s) overlap others and can't be marked in one copy of the"
        " sentence; the longest are kept for training the extractor; first: {first!r}."
    )
    W003 = (
        "[CW03] {n} gold type(s) are not in the taxonomy and their mentions are left out of the"
        " classifier's training: {names}."
    )
    W004 = "[CW04] '{name}' is ambiguous in taxonomy '{taxonomy}': {paths}. Took '{taken}'."
    W005 = (
        "[CW05] '{name}': the list of mentions of {n} text(s) did not fit into the model's"
        " window and ends early; see doc._.cascade_coverage. Lower max_tokens."
    )
    W015 = (
        "[CW15] {none} of {n} Doc(s) have no entity annotation and {some} have it on some"
        " tokens only: what is missing is neither right nor wrong and is not trained on. A Doc"
        " without entities says so with doc.set_ents([])."
    )
    W016 = (
        "[CW16] {n} gold mention(s) have white space at their edges, which is left out; first:"
        " {first!r}."
    )
    W017 = "[CW17] '{path}' has spans that are not read as gold: doc.spans {groups}. {remedy}"
    W018 = (
        "[CW18] '{name}' goes on from a prompt that '{extractor}' does not write: their"
        " templates differ, {found} and {other}. Every text is read twice, and weights of both"
        " that were trained together saw other prompts. Give both templates the same settings"
        " (system, instruction, labels)."
    )
    W019 = (
        "[CW19] [finetune] {option} = {value!r} is no option any more and has no effect: it is"
        " always {used!r} now. Remove it from the config."
    )
    W020 = (
        "[CW20] '{name}' is asked for {n} type(s) of {total} that its weights were never trained"
        " with, and a model of this size can't guess a type from its name: {names}. Use known"
        " types (`known_labels` of the component, or `python -m spacy cascade labels MODEL`), or"
        " train with yours. Nothing is replaced."
    )
    W021 = (
        "[CW21] {n} gold mention(s) have types that are not in the taxonomy of the pipeline, so"
        " their types can't be right: {names}. Give the pipeline the types of the data with"
        " set_taxonomy, or standardize the labels of the data."
    )
    W022 = (
        "[CW22] The context of a text has the key '{key}', which means nothing here. Did you mean"
        " '{right}'?"
    )
