"""Answers as plain text: nothing in them loads, and only links that the cited source holds stay links.

A document can ask the model to put the address of a picture into its answer. Where a page shows the
answer as Markdown or HTML, the browser fetches the picture, and what stands in its address is gone.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["sanitise_answer", "strip_invisible", "terminal_json", "terminal_text", "well_formed"]

# Written, and not to be seen: soft hyphen, zero-width characters, overrides of the direction of writing,
# invisible operators, the byte order mark, variation selectors of the second plane and "tag" characters.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e01ef]"
)
# Joiners and left-to-right marks have work to do inside emoji and Arabic words, none in Latin or Chinese ones.
_JOINERS = re.compile(
    "(?<=[\x20-\u024f\u3000-\u9fff])[\u200c-\u200f]+|[\u200c-\u200f]+(?=[\x20-\u024f\u3000-\u9fff])"
)

_STOP = r"\s<>()\[\]{}\"'`“”‘’「」『』（）【】《》，。；！？、|\\^"
_LINK = re.compile(rf"(?:[a-z][a-z0-9+.-]{{1,20}}:)?//[^{_STOP}]+|\bwww\.[^{_STOP}]+", re.IGNORECASE)
_SCRIPT = re.compile(rf"\b(?:javascript|vbscript|data|file|blob|mailto)\s*:(?=[^{_STOP}])", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?/*(?:www\.)?", re.IGNORECASE)
_IMAGE = re.compile(r"!\s*\[")
_TARGET = re.compile(r"\]\s*\(\s*")  # of a link written as [words](target)
_REFERENCE = re.compile(r"^(\s*\[[^\]\n]+\])\s*:(?=\s*\S)", re.MULTILINE)
_TAG = re.compile(r"<(?=!--|[/!?]?[a-z][^<>]*(?:>|$))", re.IGNORECASE)
_AUTOLINK = re.compile(r"<(?=(?:[a-z][a-z0-9+.-]{1,20}:|//|www\.))", re.IGNORECASE)
_TRAILING = ".,;:!?*_~…"


def strip_invisible(text: str) -> str:
    """`text` without characters that no reader sees (zero-width, tags, overrides of direction)."""
    return _JOINERS.sub("", _UNSEEN.sub("", text))


def sanitise_answer(text: str, source: str = "") -> str:
    """`text` of an answer as text alone: no image, no tag, and no link but those that stand in `source`.

    An image or a link with words of its own is taken apart to words and address. An address that
    `source`, the passage that is cited, does not hold, or that is an image's, loses its scheme, so that
    nothing makes a link of it: it can still be read.
    """
    text = unicodedata.normalize("NFC", strip_invisible(text))
    held = {_bare(match.group()) for match in _LINK.finditer(strip_invisible(source))}
    held -= {_bare(match.group()) for match in _LINK.finditer(" ".join(_pictures(strip_invisible(source))))}
    text = _TAG.sub("‹", _AUTOLINK.sub("‹", text))
    text = _REFERENCE.sub(r"\1 =", _TARGET.sub("] (", _IMAGE.sub("[", text)))
    text = _SCRIPT.sub(lambda match: match.group().rstrip().removesuffix(":") + " ", text)
    return _LINK.sub(lambda match: _shown(match.group(), held), text)


def _shown(link: str, held: set[str]) -> str:
    """An address as it stands where `held` has it, else without what makes a link of it."""
    if _bare(link) in held:
        return link
    rest = link[len(_bare(link)) :]
    return f"`{_SCHEME.sub('', _bare(link), count=1) or '…'}`{rest}"


def _bare(link: str) -> str:
    return link.rstrip(_TRAILING)


_PICTURE = re.compile(
    r"!\s*\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])?|<\s*(?:img|image|video|audio|source|iframe)\b[^>]*>?", re.I
)


def _pictures(source: str) -> list[str]:
    return _PICTURE.findall(source)


_SURROGATE = re.compile(r"[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """`text` with lone surrogates, which no tokenizer takes, as U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def strip_list_markup(sentence: str) -> str:
    """A sentence as it is read aloud: a row of a table without its outer bars, a list item without its bullet."""
    return re.sub(r"\s*\|\s*", " | ", re.sub(r"^\s*[-*+•#>]+\s+", "", sentence)).strip(" |")


# What steers a terminal: control characters (C0 and C1, tab and line feed aside), line separators, overrides of
# the direction of writing, halves of surrogate pairs; and what nobody sees there. Spaces of all widths and the
# joiners inside emoji and words are text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef]"
)


def terminal_text(text: str) -> str:
    """`text` as a terminal may be given it: what would steer it shows as U+FFFD, what is invisible is left out."""
    return _HIDDEN.sub("", _STEERING.sub("\ufffd", text.replace("\r", "")))


def terminal_json(document: str) -> str:
    """A JSON document that means the same and holds none of these characters: they are escaped."""
    return _HIDDEN.sub(_escaped, _STEERING.sub(_escaped, document))


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
