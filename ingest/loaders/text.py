"""Plain text, and how bytes become text for every format that does not say its encoding."""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import inf
from pathlib import Path

from ingest.long_pages import MOST, end_of_part
from rag.errors import Skip
from rag.text.place import lines_from
from rag.types import Page

logger = logging.getLogger(__name__)

SAMPLE = 1 << 14
"""Bytes that are looked at to tell one encoding from another."""
LARGE = 4 << 20
"""Bytes from which a file is read piece by piece, never held whole."""
PIECE = 1 << 18

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its first bytes are UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# The characters that make up about half of any modern Chinese text, in both scripts.
FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所"
    "然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与"
    "长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己"
    "制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系"
    "气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社"
    "便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉"
    "格望觉术领共确传师观清今切院让识候带导争运请您款式购买使用如何帮助文件文档产品服务客户公司员工合同日期价格订单"
    "這個們來為國說時會對於著過發後裡學現當沒動進開從實軍無與長機關點業將兩間問並應戰頭體見產話給門員論處義認條氣題"
    "爾變總電數報結務場計統區隊決達強難權設記類據邊張該規萬術領確傳師觀讓識帶導爭運請貨購買書東單測試檔圖樣寫"
)
PUNCTUATION = frozenset("，。、；：？！“”‘’（）《》「」『』【】〈〉…—～·　％＋－／＝　０１２３４５６７８９①②③④⑤")
# Bits one character costs, -log2 of how often it is expected; found by trying, only the order matters.
ASCII, FREQUENT_HAN, MARK, COMMON_HAN, OTHER_SCRIPT, LETTER, RARE, WRONG = 6, 9.5, 8.5, 14, 17, 9, 21, 30
STRAY_HAN = 6
"""Bits more for one Han character alone inside a Latin word: an accented letter misread."""
DOUBTFUL = 17.0
"""Bits a non-ASCII character above which a reading is no better than chance."""

STRAY = re.compile(
    "(?<=[A-Za-z])[\u3400-\u9fff](?![\u3400-\u9fff])|(?<![\u3400-\u9fff])[\u3400-\u9fff](?=[A-Za-z])"
)
CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def read(path: Path) -> Iterator[Page]:
    """The file as one page, a large one in parts; newlines as ``\\n``, otherwise letter for letter."""
    if path.stat().st_size <= LARGE:
        yield Page(read_text(path), place=lines_from(1))
        return
    line, offset, rest = 1, 0, ""
    for piece in pieces(path):
        rest += piece
        while len(rest) > MOST:
            end = end_of_part(rest, 0)
            yield Page(rest[:end], place=lines_from(line), offset=offset)
            line, offset, rest = line + rest.count("\n", 0, end), offset + end, rest[end:]
    yield Page(rest, place=lines_from(line), offset=offset)


def text_of(path: Path) -> Iterator[str]:
    """The decoded text of a file, a large one in pieces."""
    return pieces(path) if path.stat().st_size > LARGE else iter([read_text(path)])


def pieces(path: Path, encoding: str = "") -> Iterator[str]:
    """The decoded text of a large file, some of it at a time; `Skip("binary")`, also on the way, if it is none."""
    found, start = detect_file(path)
    broken = control = length = 0
    with path.open("rb") as file:
        file.seek(start)
        with io.TextIOWrapper(file, encoding or found, "replace") as text:
            while piece := text.read(PIECE):
                length += len(piece)
                broken += piece.count("\ufffd")
                control += sum(1 for _ in CONTROL.finditer(piece))
                if broken + control > 1 + length // 50:
                    raise Skip("binary")
                yield piece
    if broken:
        logger.warning("%d characters are not valid %s and were replaced", broken, encoding or found)


def read_text(path: Path) -> str:
    """The decoded text of a file, newlines normalised; `Skip("binary")` if it is none."""
    return decode(path.read_bytes())


def decode(data: bytes) -> str:
    """Bytes to text, newlines as ``\\n``, without a byte order mark; `Skip("binary")` if it is no text."""
    encoding, start = detect(data)
    text = data[start:].decode(encoding, errors="replace")
    broken = text.count("\ufffd")
    if broken + sum(1 for _ in CONTROL.finditer(text)) > 1 + len(text) // 50:
        raise Skip("binary")
    if broken:
        logger.warning("%d characters are not valid %s and were replaced", broken, encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def detect(data: bytes) -> tuple[str, int]:
    """The encoding of a text and where it begins (after a byte order mark); `Skip("binary")` if none fits.

    A mark decides; then valid UTF-8; then the reading whose characters are the likeliest, which is right
    on a dozen characters of Chinese. A few broken bytes do not disturb any of it.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding, len(mark)
    if b"\0" in data:
        return _best(_head(data), ("utf-16-le", "utf-16-be")), 0
    if is_utf8(data):
        return "utf-8", 0
    return _by_sample(data), 0


def _by_sample(data: bytes) -> str:
    sample = _sample(data)
    return _best(sample, ("utf-8", "gb18030", "big5hkscs", "cp932", "cp1252", *_utf16(sample)))


def detect_file(path: Path) -> tuple[str, int]:
    """The same as `detect` of a file that is not held whole."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    foreign = b""
    with path.open("rb") as file:
        head = file.read(PIECE)
        if head.startswith(tuple(mark for mark, _ in BOMS)) or b"\0" in head:
            return detect(head)
        try:
            piece = head
            while piece:
                foreign = foreign or (b"" if piece.isascii() else piece)
                decoder.decode(piece)
                piece = file.read(PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _by_sample(foreign), 0
    return "utf-8", 0


def _utf16(sample: bytes) -> tuple[str, ...]:
    # Without a NUL there is not even a line feed: UTF-16 can only be a short run of Han.
    return ("utf-16-le", "utf-16-be") if len(sample) % 2 == 0 else ()


def is_utf8(data: bytes) -> bool:
    """Is every byte of this valid UTF-8? Hardly any text in another encoding is."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _head(data: bytes) -> bytes:
    return data[:SAMPLE]


def _sample(data: bytes) -> bytes:
    """Some bytes from the first line that is not ASCII; no character is cut at its beginning."""
    found = re.search(rb"[\x80-\xff]", data)
    first = found.start() if found else 0
    start = data.rfind(b"\n", 0, first) + 1
    return data[start : start + SAMPLE]


def _best(sample: bytes, encodings: tuple[str, ...]) -> str:
    scored = [(_bits(sample, encoding), encoding) for encoding in encodings]
    (_, mean), encoding = min(scored)
    if mean > DOUBTFUL or (encoding == "cp1252" and _mostly_accents(sample)):
        return _other(sample)
    return encoding


def _mostly_accents(sample: bytes) -> bool:
    """Is there more beyond ASCII than within it? Then it is another alphabet, not a western language."""
    return len(re.findall(rb"[\xc0-\xff]", sample)) > len(re.findall(rb"[A-Za-z]", sample))


def _other(sample: bytes) -> str:
    """What charset-normalizer says, for the encodings that are not ours to tell."""
    if len(re.findall(CONTROL_BYTES, sample)) > 1 + len(sample) // 50:
        raise Skip("binary")
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    if best is None or best.encoding.startswith(("utf_16", "utf_32")):
        raise Skip("binary")
    return best.encoding


def _bits(sample: bytes, encoding: str) -> tuple[float, float]:
    """Bits of a sample read in an encoding: the whole, and the mean of what is not plain ASCII."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample)
    if not text:
        return inf, inf
    total = float(STRAY_HAN * sum(1 for _ in STRAY.finditer(text)))
    foreign = count = 0.0
    for char, times in Counter(text).items():
        bits = _cost(char, encoding)
        total += bits * times
        if not ("\x20" <= char < "\x7f" or char in "\t\n\r"):
            foreign += bits * times
            count += times
    return total, foreign / count if count else 0.0


def _cost(char: str, encoding: str) -> float:
    code = ord(char)
    if code < 0x80:
        return ASCII if char.isprintable() or char in "\t\n\r" else WRONG
    if char in FREQUENT:
        return FREQUENT_HAN
    if char in PUNCTUATION:
        return ASCII if encoding == "cp1252" else MARK
    return _cost_of_han(char, encoding) if 0x4E00 <= code <= 0x9FFF else _cost_of_other(char, encoding)


def _cost_of_other(char: str, encoding: str) -> float:
    code = ord(char)
    if 0x3040 <= code <= 0x30FF:
        return LETTER if encoding == "cp932" else OTHER_SCRIPT
    if code < 0x250 or 0x2010 <= code <= 0x2122:
        return LETTER if encoding != "cp932" and char.isprintable() else RARE
    if 0xE000 <= code <= 0xF8FF or code == 0xFFFD or not char.isprintable():
        return WRONG
    return RARE


def _cost_of_han(char: str, encoding: str) -> float:
    simplified, traditional, japanese = _common()
    chinese = char in simplified or char in traditional
    match encoding:
        case "gb18030":
            everyday = char in simplified
        case "big5hkscs":
            everyday = char in traditional
        case "cp932":
            everyday = char in japanese
        case _:
            everyday = chinese
    return COMMON_HAN if everyday else OTHER_SCRIPT if chinese else RARE


@cache
def _common() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The everyday Han characters as the standards order them: level 1 of GB 2312, Big5 and JIS X 0208."""
    gb = _table("gb2312", range(0xB0, 0xD8), range(0xA1, 0xFF))
    big5 = _table("big5", range(0xA4, 0xC7), (*range(0x40, 0x7F), *range(0xA1, 0xFF)))
    jis = _table("euc_jp", range(0xB0, 0xD0), range(0xA1, 0xFF))
    return gb, big5, jis


def _table(encoding: str, leads: range, trails: range | tuple[int, ...]) -> frozenset[str]:
    data = bytes(byte for lead in leads for trail in trails for byte in (lead, trail))
    return frozenset(char for char in data.decode(encoding, errors="ignore") if char >= "\u4e00")
