"""Mails made here: who, when, what, attachments by their own loaders, quoted mails left out."""

from __future__ import annotations

import logging
from email.message import EmailMessage
from pathlib import Path

import pytest
from helpers.office import workbook

from ingest.loaders import load
from rag.errors import LoadError, Skip


def mail(subject: str = "维修报价", body: str = "The repair costs 80 €.\n") -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "Ann <ann@example.org>", "bob@example.org"
    made["Date"] = "Mon, 02 Mar 2026 09:30:00 +0000"
    made.set_content(body)
    return made


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def test_a_mail_says_who_wrote_it_and_when(tmp_path: Path) -> None:
    (page,) = load(written(tmp_path, "a.eml", mail().as_bytes()))
    assert page.label == "维修报价 · Ann <ann@example.org> · Mon, 02 Mar 2026 09:30:00 +0000"
    assert page.text.startswith("Subject: 维修报价\nFrom: Ann <ann@example.org>\nTo: bob@example.org\nDate: Mon")
    assert page.text.endswith("\n\nThe repair costs 80 €.")


def test_attachments_are_read_by_their_own_loaders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = mail()
    sheet = workbook({"Parts": [["Part", "Price"], ["Valve", 12]]})
    made.add_attachment(sheet, maintype="application", subtype="octet-stream", filename="../../报价.xlsx")
    made.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="run.exe")
    made.add_attachment(mail("Earlier", "Old terms."))
    with caplog.at_level(logging.WARNING):
        found = list(load(written(tmp_path, "a.eml", made.as_bytes())))
    assert [(page.label or "").split(" · ")[0] for page in found] == ["维修报价", "报价.xlsx", "message.eml"]
    assert (found[1].label, found[1].text) == ("报价.xlsx · Parts, row 2", "Part: Valve\nPrice: 12")
    assert "Old terms." in found[2].text
    assert caplog.messages == ["an attachment was not read: run.exe (unsupported: .exe)"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.eml"]


@pytest.mark.parametrize("intro", ["On Mon, Ann wrote:", "在 2026年3月2日,Ann 写道:"])
def test_what_is_quoted_of_earlier_mails_is_left_out_and_short_quotations_stay(tmp_path: Path, intro: str) -> None:
    body = f"Agreed.\n\n{intro}\n> one\n> two\n> three\n\n> short\nSee above.\n"
    (page,) = load(written(tmp_path, "a.eml", mail(body=body).as_bytes()))
    assert page.text.split("\n\n", 1)[1] == "Agreed.\n\n\n> short\nSee above."


def test_html_in_a_mail_is_read_as_a_page_is(tmp_path: Path) -> None:
    made = mail()
    made.clear_content()
    made.set_content('<p>Pay <s>80</s> <b>70</b> €</p><p style="display:none">x</p>', subtype="html")
    (page,) = load(written(tmp_path, "a.eml", made.as_bytes()))
    assert page.text.endswith("Pay 70 €")


def test_a_mailbox_is_read_mail_by_mail(tmp_path: Path) -> None:
    both = b"".join(b"From ann@example.org Mon Mar  2 09:30:00 2026\n" + mail(s).as_bytes() + b"\n" for s in "AB")
    found = load(written(tmp_path, "a.mbox", both))
    assert [page.text.split("\n")[0] for page in found] == ["Subject: A", "Subject: B"]


def test_mails_in_mails_without_end_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = mail("deepest")
    for depth in range(6):
        outer = mail(f"level {depth}")
        outer.add_attachment(made)
        made = outer
    found = list(load(written(tmp_path, "a.eml", made.as_bytes())))
    assert len(found) == 4
    assert "more than 3 files inside one another" in caplog.text


@pytest.mark.parametrize("data", [b"no outlook file", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000)])
def test_what_is_no_outlook_mail_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(LoadError, match=r"^[^\n]+$"):
        list(load(written(tmp_path, "a.msg", data)))


def test_an_empty_mailbox(tmp_path: Path) -> None:
    with pytest.raises(Skip, match=r"^empty$"):
        list(load(written(tmp_path, "a.mbox", b"no mail in here\n")))
