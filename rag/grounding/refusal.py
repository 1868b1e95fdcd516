"""How a refusal is said and recognised."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from rag.text import normalise

_REFUSALS = re.compile(
    r"^\W*(none\b|no answer|not (?:mentioned|specified|provided|stated|found)|i (?:do not|don['’]t) know"
    r"|(?:the )?(?:passages?|documents?|text)(?: provided)? (?:do|does) not|无\W*$"
    r"|没有(?:答案|提到|说明|提供|相关)|未(?:提及|提到|说明)|.{1,40}[是为]“?无”?\W*$"
    r"|(?:段落|文档|文中|资料)(?:中|里)?(?:没有|未|并未|并没有))",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a model's words say that the passages hold no answer."""
    return not text.strip() or bool(_REFUSALS.match(normalise(text)))


def refusal_probability(likeliest: Mapping[str, float], refusals: tuple[str, ...]) -> float | None:
    """The probability that an answer begins as one of `refusals` (upper case), None where `likeliest` is empty.

    `likeliest` maps the likeliest first tokens to their natural-log probabilities. A token counts that is
    the beginning of a refusal, of two characters or of all of it, white space and case aside.
    """
    if not likeliest:
        return None
    return min(sum(math.exp(p) for token, p in likeliest.items() if _begins(token, refusals)), 1.0)


def _begins(token: str, refusals: tuple[str, ...]) -> bool:
    start = token.strip().upper()
    return any(start == refusal or (len(start) > 1 and refusal.startswith(start)) for refusal in refusals)


REFUSAL = {
    "en": "The documents do not answer this question.",
    "zh": "文档中没有这个问题的答案。",
}
SILENT = {
    "en": "The documents do not answer this part: “{part}”",
    "zh": "文档没有回答这一部分：“{part}”",
}
BESIDES = {"en": "The documents also say:", "zh": "文档中还写道："}
NO_ANSWER = ("NONE", "无")  # what the prompts ask for where the passages do not answer
