"""Which encoding a text is in: short and long, Chinese and English, whole and damaged."""

from __future__ import annotations

import random

import pytest

from ingest.loaders.text import decode, detect
from rag.errors import Skip

SIMPLIFIED = [
    "公司规定员工每年有十五天带薪休假。",
    "请在周五之前提交报销单和发票。",
    "产品的保修期为两年，从购买之日算起。",
    "如何在组件之间传递数据？",
    "打印机无法连接到网络怎么办",
    "重启路由器后仍然不能上网",
    "水温应保持在八十度左右",
    "使用 USB 线连接电脑，然后按下 Power 键三秒。",
    "API 返回 404 错误时，请检查 URL 是否正确。",
    "这款吸尘器声音太大，不推荐购买",
    "量子纠缠与贝尔不等式",
    "骨质疏松症患者应补充钙质",
    "萨克斯管演奏技巧入门",
    "他说：“明天见！”",
    "北京市朝阳区建国路八十八号",
]
TRADITIONAL = [
    "公司規定員工每年有十五天帶薪休假。",
    "請在週五之前提交報銷單和發票。",
    "產品的保固期為兩年，從購買之日算起。",
    "如何在元件之間傳遞資料？",
    "印表機無法連接到網路怎麼辦",
    "重新啟動路由器後仍然不能上網",
    "水溫應保持在八十度左右",
    "使用 USB 線連接電腦，然後按下 Power 鍵三秒。",
    "API 回傳 404 錯誤時，請檢查 URL 是否正確。",
    "這款吸塵器聲音太大，不推薦購買",
    "量子糾纏與貝爾不等式",
    "骨質疏鬆症患者應補充鈣質",
    "薩克斯風演奏技巧入門",
    "他說：「明天見！」",
    "臺北市信義區忠孝東路五段",
]
WESTERN = ["café au lait", "Über die Brücke", "naïve “quotes” — dash", "Señor Núñez", "£5 each", "it’s", "déjà vu"]
UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", [*UNICODE, "gb18030", "gbk"])
@pytest.mark.parametrize("text", [*SIMPLIFIED, "\n".join(SIMPLIFIED), "English first.\n" * 9000 + SIMPLIFIED[0]])
def test_simplified_chinese_is_read_as_it_was_written(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text
    assert decode(f"Note: {text} OK\n".encode(encoding)) == f"Note: {text} OK\n"


@pytest.mark.parametrize("encoding", [*UNICODE, "gb18030", "big5", "big5hkscs"])
@pytest.mark.parametrize("text", [*TRADITIONAL, "\n".join(TRADITIONAL), "English.\n" * 9000 + TRADITIONAL[0]])
def test_traditional_chinese_is_read_as_it_was_written(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text
    assert decode(f"Note: {text} OK\n".encode(encoding)) == f"Note: {text} OK\n"


@pytest.mark.parametrize("text", WESTERN)
def test_western_text_of_windows_is_not_taken_for_chinese(text: str) -> None:
    assert decode(text.encode("cp1252")) == text
    assert decode(f"We said: {text} and so on.".encode("cp1252")) == f"We said: {text} and so on."


@pytest.mark.parametrize("text", ["これはテストです。", "名前,年齢,住所", "東京都港区の会社です"])
def test_japanese_in_shift_jis(text: str) -> None:
    assert decode(text.encode("cp932")) == text


def test_russian_in_its_old_encoding() -> None:
    text = "Привет, как дела? Это тестовый документ на русском языке, написанный давно."
    assert decode(text.encode("cp1251")) == text


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_damaged_character_costs_no_more_than_itself(encoding: str) -> None:
    before, after = ("，".join(SIMPLIFIED), "。".join(SIMPLIFIED))
    text = decode(before.encode(encoding) + b"\xff\n" + after.encode(encoding))
    assert text.startswith(before)
    assert text.endswith(after)
    cut = decode("\n".join(SIMPLIFIED).encode(encoding)[:-1])
    assert cut.startswith("\n".join(SIMPLIFIED)[:-2])


def test_newlines_become_one_kind_and_the_mark_goes() -> None:
    assert decode(b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize("data", [b"\x7fELF\x00\x01\x02\x03" * 50, b"PK\x03\x04\x14\x00\x00\x00\x08\x00" * 20])
def test_bytes_with_nul_that_are_no_utf16_are_binary(data: bytes) -> None:
    with pytest.raises(Skip, match=r"^binary$"):
        decode(data)


def test_noise_is_binary() -> None:
    noise = random.Random(7)
    for _ in range(20):
        with pytest.raises(Skip, match=r"^binary$"):
            decode(noise.randbytes(3000).replace(b"\0", b"\1"))


def test_what_detect_says() -> None:
    assert detect("中文".encode("utf-16")) == ("utf-16-le", 2)
    assert detect(b"plain") == ("utf-8", 0)
    assert detect("打印机无法连接".encode("gbk")) == ("gb18030", 0)
