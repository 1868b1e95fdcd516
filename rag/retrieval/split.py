"""Questions that ask for several things are cut into their parts, so that each is searched and cited by itself."""

from __future__ import annotations

import re

__all__ = ["split_question"]

MOST = 4
"""Parts of one question; a list of more is taken as one question."""

_ASKS = (
    r"(?:who|whom|whose|what|when|where|why|which|how)\b"
    r"|(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have) (?:it|the|a|an"
    r"|there|i|we|they|you)\b"
)
# "…, and who …": a comma or a semicolon, so that "what he did and how he lived" stays one question.
_AND_EN = re.compile(
    rf"\s*[,;]\s*(?:and|also|as well as)\s+(?:also\s+)?(?={_ASKS})|\s*;\s*(?={_ASKS})", re.IGNORECASE
)
_STOPS_EN = re.compile(r"(?<=\?)\s+(?=\S)")
_OPENS_EN = re.compile(
    rf"\s*(?:and |also |then )?(?:in |on |at |by |for |to |from |of |with |after )?(?:{_ASKS})", re.IGNORECASE
)

_ASKS_ZH = (
    r"什么|多少|多久|多长|多大|多高|多重|多远|几|哪|谁|何时|何地|如何|怎么|怎样|为什么|为何|是否|吗"
    r"|能不能|可不可以|有没有"
)
_STOPS_ZH = re.compile(r"(?<=[？?])\s*(?=\S)|[，,；;]\s*(?:以及|还有|并且|而且|同时|另外|此外|那么|那)?\s*(?=\S)")
_EACH_ZH = re.compile(
    r"^(?P<a>[^，。？?、和与跟]{1,24})(?P<more>(?:、[^，。？?、和与跟]{1,24})*)(?:、|，)?(?:和|与|跟|以及|及)"
    r"(?P<b>[^，。？?的]{1,24}?)(?P<rest>的[^，。？?]*?)?(?:(?<!的)分别|各自|各)(?P<tail>[^，。？?]+[？?]?)$"
)
_VERBS = "weigh|cost|last|take|measure|have|hold|need|mean|open|close|start|begin|end|get|pay|use"
_EACH_EN = re.compile(
    r"^(?P<head>.+\b(?:of|for|in|at|on|does|do|did|is|are|was|were|has"
    r"|have)\s+)(?P<a>[^,?]+?)\s+and\s+(?P<b>[^,?]+?)"
    rf"(?P<tail>\s+(?:{_VERBS}))?,?\s+(?:respectively|each)\s*\?$",
    re.IGNORECASE,
)


def split_question(question: str) -> list[str]:
    """The questions that `question` is made of, in order; itself alone where it asks for one thing.

    A part that has no subject of its own ("…, and when was it built?") is left as it stands: whoever
    searches it does so in the light of the part before it.
    """
    text = question.strip()
    found = _respectively(text) or _several(text)
    return found if 1 < len(found) <= MOST else [question]


def _respectively(text: str) -> list[str]:
    """ "A 和 B 的 X 分别是多少？": what is asked of each, by itself."""
    if match := _EACH_ZH.match(text):
        first, owned = match["a"], "" if match["rest"] else match["a"].rpartition("的")
        shared = "".join(owned[:2])  # "P 的东段和西段分别…": the second is P's too
        things = [first, *(f"{shared}{thing}" for thing in (*match["more"].split("、"), match["b"]) if thing)]
        return [f"{thing.strip()}{match['rest'] or ''}{match['tail']}" for thing in things]
    if match := _EACH_EN.match(text):
        return [f"{match['head']}{thing.strip()}{match['tail'] or ''}?" for thing in (match["a"], match["b"])]
    return []


def _several(text: str) -> list[str]:
    if re.search(r"[?？]\s*[（(]", text):
        return []  # a remark in brackets is no question of its own
    if re.search(r"[\u4e00-\u9fff]", text):
        pieces = [piece.strip() for piece in _STOPS_ZH.split(text) if piece.strip()]
        asks = [bool(re.search(_ASKS_ZH, piece)) or piece.endswith(("呢？", "呢?")) for piece in pieces]
        return [_mark(piece, "？") for piece in pieces] if all(asks) else []
    pieces = [piece.strip() for whole in _STOPS_EN.split(text) for piece in _AND_EN.split(whole) if piece.strip()]
    return [_mark(_capital(piece), "?") for piece in pieces] if all(map(_OPENS_EN.match, pieces)) else []


def _mark(piece: str, mark: str) -> str:
    return piece if piece.endswith(("?", "？")) else f"{piece.rstrip('，,;；。.')}{mark}"


def _capital(piece: str) -> str:
    return piece[:1].upper() + piece[1:]
