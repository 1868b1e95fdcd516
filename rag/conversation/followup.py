"""Does a question lean on what was said before, and what is searched in its place? Pure functions, no model.

A small model rewrites such questions badly. So the words of the conversation are searched beside whatever
it says, and its words are taken only where they keep to the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.text import content_terms, find_numbers, language, normalise, split_terms
from rag.types import Answer

__all__ = [
    "contextual",
    "followup_queries",
    "is_faithful_rewrite",
    "is_followup",
    "is_short",
    "recent_turns",
    "standalone",
    "swap_name",
]

_CITED = re.compile(r" ?\[\d+\]")
_CJK = re.compile(r"[\u4e00-\u9fff]")

_OPENING = re.compile(
    r"^(?:and|but|or|so|also|then|otherwise|plus|ok(?:ay)?|what about|how about|what if not|why not|why so)\b"
    r"|^(?:what|who|anything|anyone|something) else\b|\b(?:then|instead|either|as well|too)\s*\?*$",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:the (?:second|first|third|fourth|last|other|latter|former|next|same|previous"
    r"|above)(?: ones?| two)?\s*(?:\?|$|,)"
    r"|(?:that|this|other|second|first|third|last|new|newer|old|older|used|big|bigger|small|smaller"
    r"|large|larger|long"
    r"|longer|short|shorter|cheap|cheaper|better|same|which|these|those) ones?\b|the (?:other|latter"
    r"|former|same) ones?"
    r"|another one|each of (?:them|these|those)|both of (?:them|these|those))",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|he|him|his|she|her|hers"
    r"|(?:this|these|those)(?! (?:year|month|week|morning|evening|documents?|files?)\b)"
    r"|(?:about|is|was|does|did|do|for|with|after|before|of|than|like|on|in|at|to|would"
    r"|by) that(?! \w+ (?:is|are|was|were)\b)"
    r"|that (?:one|case|limit|time|price|machine|too|mean|apply|work|cost|include|long|much|many)"
    r"|do (?:so|that)|(?:go|get|from|to|work|live) there)\b",
    re.IGNORECASE,
)
_WHAT_IS = re.compile(r"^(?:what|who|where)(?:'s| is| are| was| were) ", re.IGNORECASE)

_OPENING_ZH = re.compile(
    r"^(?:那|还有|另外|然后|而|但|可是|不然|否则|所以|再|接着|除此|除了这|此外|如果不|如果没有(?:那|这|呢))"
)
_POINTING_ZH = re.compile(
    r"它|(?<!其)他(?!人|乡)|她|这(?!些文|里的文)|那(?:个|些|种|款|台|里|边|份|次|项|条|时|样|位)"
    r"|前者|后者|上述|刚才|刚刚|上面(?:说|提|那|的)"
    r"|(?<!尤)其(?!他|它|实|余|次|一|二|间)|(?<![应本活])该(?=产品|机器|型号|公司|服务|项|制度|政策"
    r"|员工|部件|文|合同|费用|设备)|(?<![因如从由彼])此(?!外|后|前)"
    r"|第[一二三四五六七八九十\d]{1,2}[个种款项条点]?(?=呢|的|是|怎|多|有|要|能|[？?]|$)"
)
_TAIL_ZH = re.compile(r"呢[？?]?$")
_EMPTY_ZH = re.compile(
    r"什么时候|什么|多少钱|多少|多久|多长|多大|多重|多高|时间|时候|几[天个次年月点小时分钟元人]*"
    r"|怎么办|怎么样|怎么|怎样|如何|为什么|为何|哪[里个些位家天种]?|谁|吗|呢|吧"
    r"|需要|可以|能够|能|要|会|应该|是否|是|有|的|了|也|都|最多|最少|至少|一共|大概|大约|早上|晚上"
    r"|整个|过程|请问|钱|每[天年月周次]|去|在|到|由|就|还|[\W_]"
)
_VERBS_ZH = re.compile(
    r"申请|办理|使用|清洗|更换|安装|购买|收费|审批|报销|预约|取消|关闭|打开|关掉|维修|退货|退|包括"
    r"|负责|联系|计算|设置|恢复|注册|赔偿|处理|解决|发车|开始|结束|付款|提交|发|修|换|买|用|做"
)


def is_followup(question: str) -> bool:
    """Whether a question seems to lean on what was said before ("and that one?", "那第二个呢？")."""
    text = question.strip()
    return _leans_zh(text) if _CJK.search(text) else _leans_en(text)


def _leans_en(text: str) -> bool:
    if _OPENING.search(text) or _POINTING.search(text):
        return True
    if any(len(_said(text[: match.start()])) < 2 for match in _PRONOUN.finditer(text)):
        return True  # nothing in the question itself that the word could stand for
    said = _said(text)
    return not said or (len(said) == 1 and not _WHAT_IS.match(text))


def _leans_zh(text: str) -> bool:
    if _OPENING_ZH.search(text) or _POINTING_ZH.search(text):
        return True
    rest = _EMPTY_ZH.sub("", text)
    if _TAIL_ZH.search(text) and len(re.sub(r"\W", "", text)) <= 10:
        return True
    return len(_VERBS_ZH.sub("", rest)) == 0 or len(rest) <= 1


def _said(text: str) -> list[str]:
    kept = content_terms(text)
    return [term for term in split_terms(text) if term in kept and term not in ("must", "shall", "ok", "okay")]


def is_short(question: str) -> bool:
    """Whether a question is so short that it may lean unseen ("Who pays for it all?", "要能承重多少？")."""
    return len(_EMPTY_ZH.sub("", question)) <= 8 if _CJK.search(question) else len(_said(question)) <= 2


_ONLY_A_NAME = re.compile(
    r"^(?:and|what about|how about|and what about)\s+(?:(?P<before>in|at|on|for|from|of|with|to)\s+)?(?:the\s+)?"
    r"(?P<name>[A-Z0-9][\w.+-]*(?:\s+[A-Z0-9][\w.+-]*)*)\s*\?*$",
    re.IGNORECASE,
)
_ONLY_A_NAME_ZH = re.compile(r"^(?:那么?)?\s*(?P<name>[A-Za-z][A-Za-z0-9 .+-]*?)\s*呢\s*[？?]?$")
_NAME = re.compile(r"\b[A-Z][\w.+-]*(?:\s+[A-Z0-9][\w.+-]*)*")
_NAME_ZH = re.compile(r"[A-Z][A-Za-z0-9.+-]*(?:\s+[A-Z0-9][A-Za-z0-9.+-]*)*")


def swap_name(question: str, history: Sequence[Answer]) -> str:
    """The question before with the name of this one, where this is but a name ("And the Heron Pro?").

    "" where it is more than that, or where the question before has no name or several that may be meant.
    """
    before = history[-1].asked or history[-1].question
    chinese = bool(_CJK.search(question))
    asked = (_ONLY_A_NAME_ZH if chinese else _ONLY_A_NAME).match(question.strip())
    if not asked or not asked["name"][0].isupper() or language(before) != language(question):
        return ""
    found = list(_NAME_ZH.finditer(before)) if chinese else [m for m in _NAME.finditer(before) if m.start()]
    if not chinese and asked["before"]:
        found = [m for m in found if re.search(rf"\b{asked['before']}(?: the)? $", before[: m.start()], re.I)]
    if len({match.group() for match in found}) != 1:
        return ""
    return before.replace(found[0].group(), asked["name"])


def standalone(question: str, history: Sequence[Answer]) -> str:
    """`question` with the one before it, as one that can be understood alone: what no model is needed for."""
    before = _core(history)
    if language(question) == "zh":
        return f"{question.strip()}（上一问：{before}）"
    return f"{question.strip()} (asked after: {before})"


def followup_queries(question: str, history: Sequence[Answer], rewritten: str = "") -> list[str]:
    """What is searched for a question that leans, or may: the hits of all are taken in turn.

    The question before with this one; a model's rewriting; the question alone, where it has words of its
    own, else the answer before with it ("the second one").
    """
    alone = question if len(_said(question)) >= 2 else _surroundings(question, history)
    return list(dict.fromkeys(filter(None, (rewritten, contextual(question, history), alone))))


def contextual(question: str, history: Sequence[Answer]) -> str:
    """The words of the question before, then those of this one.

    The question before is taken as it was searched, so that what a conversation is about is handed on
    from turn to turn; where that has grown long, its beginning and its last question are kept.
    """
    return f"{_core(history)} {question}"


LONGEST = 300
"""Characters of earlier questions that are searched beside a new one."""
_JOINED = re.compile(r"（上一问：(.*)）$| \(asked after: (.*)\)$", re.DOTALL)


def _core(history: Sequence[Answer]) -> str:
    last = history[-1]
    joined = _JOINED.search(last.asked)
    carried = f"{joined[1] or joined[2]} {last.question}" if joined else last.asked or last.question
    if len(carried) <= LONGEST:
        return carried
    return f"{carried[: LONGEST // 2].rsplit(' ', 1)[0]} {last.question[: LONGEST // 2]}"


def _surroundings(question: str, history: Sequence[Answer]) -> str:
    """As `contextual`, with what was answered, and the heading that it was found under."""
    last = history[-1]
    heading = last.citations[0].heading if last.citations else ()
    said = "" if last.refused else _said_in(last)[:120]
    return " ".join(filter(None, (_core(history), said, *heading[:1], question)))


def _said_in(turn: Answer) -> str:
    return turn.short or _CITED.sub("", turn.text)


def is_faithful_rewrite(rewritten: str, question: str, history: Sequence[Answer]) -> bool:
    """Whether a model's rewriting keeps what `question` asks and adds only what the conversation said."""
    said = [part for turn in history for part in (turn.question, turn.asked, _said_in(turn))]
    said += [title for turn in history for citation in turn.citations for title in citation.heading]
    known = _pieces(" ".join((*said, question)))
    own, new = _pieces(question) - _LEANING, _pieces(rewritten)
    before = {normalise(text).strip(" ?？。.") for turn in history for text in (turn.question, turn.asked)}
    return (
        language(rewritten) == language(question)
        and not is_followup(rewritten)
        and normalise(rewritten).strip(" ?？。.") not in before
        and find_numbers(question) <= find_numbers(rewritten)
        and len(own & new) >= 0.8 * len(own)
        and bool(_pieces(_EMPTY_ZH.sub(" ", rewritten)) & known - _pieces(question))  # "it" has become something
        and len(new & known) >= 0.85 * len(new)
        and len(rewritten) <= 4 * len(question) + 120
    )


_LEANING = frozenset(
    "about else other another same second first third last one ones ok okay 那 这 第 呢 还 另 外 再 果 如".split()
)


def _pieces(text: str) -> set[str]:
    """Words and single characters, without function words: what is compared where order does not count."""
    return {term for term in content_terms(text) if not _CJK.match(term) or len(term) == 1}


def recent_turns(history: Sequence[Answer], budget: int, count: Callable[[str], int]) -> list[str]:
    """The last turns, oldest first, in `budget` tokens as `count` counts them: the oldest are left out first.

    The last turn is always there; where it is too long by itself, its answer is cut.
    """
    kept: list[str] = []
    for turn in reversed(history):
        text = f"Q: {turn.asked or turn.question}\nA: {_said_in(turn)}"
        tokens = count(text)
        if tokens > budget:
            if kept:
                break
            text = text[: max(len(text) * budget // tokens, 1)]
            tokens = budget
        kept.append(text)
        budget -= tokens
    return kept[::-1]
