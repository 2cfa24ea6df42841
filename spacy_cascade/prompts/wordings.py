"""B2NER's instruction (arXiv 2406.11192) in nine languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """B2NER's instruction in one language, in the parts that it is put together from.

    task, described: The request, without and with label descriptions. examples: What
        few-shot prompts add to it.
    labels, description, text, answer: Names of the parts. set_end: Behind the label set
        of a zero-shot prompt.
    means: Between a label and its description.
    """

    task: str
    described: str
    examples: str
    labels: str
    description: str
    text: str
    answer: str
    means: str
    break_line: str = " \n"
    set_end: str = " "


# en, zh, de, nl, es: the instructions that the released adapters were trained and
# tested with (github.com/UmeanNever/B2NER, configs/instruction_config_ml.json); the
# few-shot and description parts of de, nl, es and all of fr, ja, ko, ru follow the same
# plan.
WORDINGS = {
    "en": Wording(
        "Given the label set of entities, please recognize all the entities in the text. The"
        ' answer format should be "entity label: entity; entity label: entity".',
        "Given the label set of entities and their descriptions, please recognize all the"
        ' entities in the text. The answer format should be "entity label: entity; entity'
        ' label: entity".',
        " Below are some examples.",
        "Label Set:",
        "Label Description:",
        "Text:",
        "Answer:",
        "means",
    ),
    "zh": Wording(
        '给定实体的标签范围，请识别文本中属于这些标签的所有实体。答案格式为 "实体标签: 实体;'
        ' 实体标签: 实体"。',
        "给定实体的标签范围以及对每个标签的描述，请识别文本中属于这些标签的所有实体。答案格式为"
        ' "实体标签: 实体; 实体标签: 实体"。',
        "下面有一些例子。",
        "标签范围:",
        "标签描述:",
        "文本:",
        "答案:",
        "是指",
        break_line="\n",
        set_end="",
    ),
    "de": Wording(
        "Gegeben die Menge der Entitäten, erkenne alle Entitäten im Text. Das Antwortformat"
        ' sollte sein "Entität Label: Entität; Entität Label: Entität".',
        "Gegeben die Menge der Entitäten und ihre Beschreibungen, erkenne alle Entitäten im"
        ' Text. Das Antwortformat sollte sein "Entität Label: Entität; Entität Label:'
        ' Entität".',
        " Es folgen einige Beispiele.",
        "Label Set:",
        "Label Beschreibung:",
        "Text:",
        "Antwort:",
        "bedeutet",
    ),
    "nl": Wording(
        "Gegeven de set van entiteiten, herken al de entiteiten in de tekst. Het"
        ' antwoordformaat moet zijn "entiteit label: entiteit; entiteit label: entiteit".',
        "Gegeven de set van entiteiten en hun beschrijvingen, herken al de entiteiten in de"
        ' tekst. Het antwoordformaat moet zijn "entiteit label: entiteit; entiteit label:'
        ' entiteit".',
        " Hieronder staan enkele voorbeelden.",
        "Label Set:",
        "Label Beschrijving:",
        "Tekst:",
        "Antwoord:",
        "betekent",
    ),
    "es": Wording(
        "Dada la lista de entidades, reconoce todas las entidades en el texto. El formato de la"
        ' respuesta debe ser "etiqueta de entidad: entidad; etiqueta de entidad: entidad".',
        "Dada la lista de entidades y sus descripciones, reconoce todas las entidades en el"
        ' texto. El formato de la respuesta debe ser "etiqueta de entidad: entidad; etiqueta de'
        ' entidad: entidad".',
        " A continuación hay algunos ejemplos.",
        "Conjunto de Etiquetas:",
        "Descripción de Etiquetas:",
        "Texto:",
        "Respuesta:",
        "significa",
    ),
    "fr": Wording(
        "Étant donné l'ensemble des étiquettes d'entités, reconnais toutes les entités du"
        ' texte. Le format de la réponse doit être "étiquette: entité; étiquette: entité".',
        "Étant donné l'ensemble des étiquettes d'entités et leurs descriptions, reconnais"
        ' toutes les entités du texte. Le format de la réponse doit être "étiquette: entité;'
        ' étiquette: entité".',
        " Voici quelques exemples.",
        "Étiquettes:",
        "Description des étiquettes:",
        "Texte:",
        "Réponse:",
        "signifie",
    ),
    "ja": Wording(
        "エンティティのラベル集合が与えられます。"
        "テキスト中のこれらのラベルに属するすべてのエンティティを認識してください。回答の形式は"
        ' "ラベル: エンティティ; ラベル: エンティティ" です。',
        "エンティティのラベル集合と各ラベルの説明が与えられます。"
        "テキスト中のこれらのラベルに属するすべてのエンティティを認識してください。回答の形式は"
        ' "ラベル: エンティティ; ラベル: エンティティ" です。',
        "以下に例を示します。",
        "ラベル集合:",
        "ラベルの説明:",
        "テキスト:",
        "回答:",
        "の意味は",
    ),
    "ko": Wording(
        "개체의 레이블 집합이 주어집니다. 텍스트에서 이 레이블에 속하는 모든 개체를 인식하세요."
        ' 답변 형식은 "레이블: 개체; 레이블: 개체"입니다.',
        "개체의 레이블 집합과 각 레이블의 설명이 주어집니다. 텍스트에서 이 레이블에 속하는 모든"
        ' 개체를 인식하세요. 답변 형식은 "레이블: 개체; 레이블: 개체"입니다.',
        " 다음은 예시입니다.",
        "레이블 집합:",
        "레이블 설명:",
        "텍스트:",
        "답변:",
        "의미:",
    ),
    "ru": Wording(
        "Дан набор меток сущностей. Найди в тексте все сущности с этими метками. Формат ответа:"
        ' "метка: сущность; метка: сущность".',
        "Дан набор меток сущностей и их описания. Найди в тексте все сущности с этими метками."
        ' Формат ответа: "метка: сущность; метка: сущность".',
        " Ниже приведены примеры.",
        "Набор меток:",
        "Описание меток:",
        "Текст:",
        "Ответ:",
        "означает",
    ),
}
