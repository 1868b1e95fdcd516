"""Mails (EML, MBOX, MSG): every message one page with who wrote it and when; attachments by their own loaders."""

from __future__ import annotations

import email
import email.policy
import logging
import mailbox
import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rag.types import Page

logger = logging.getLogger(__name__)

Inner = Callable[[str, bytes], Iterator[Page]]
"""Reads an attachment: its name and its bytes to pages."""

MOST_MESSAGES = 100_000
_QUOTED = re.compile(
    r"(?m)(?:^(?:On .{5,120} wrote:|Am .{5,120} schrieb.*:|在.{5,120}写道[:：]|.{2,60}于.{5,80}写道[:：])\s*\n)?"
    r"(?:^>.*\n?){3,}"
)


def read(path: Path, inner: Inner) -> Iterator[Page]:
    """A page a message, labelled "subject · sender · date"; long quotations of earlier mails are left out."""
    suffix = path.suffix.lower()
    if suffix == ".msg":
        yield from _outlook(path, inner)
    elif suffix == ".mbox":
        yield from _mailbox(path, inner)
    else:
        yield from _message(email.message_from_bytes(path.read_bytes(), policy=email.policy.default), inner)


def _mailbox(path: Path, inner: Inner) -> Iterator[Page]:
    box = mailbox.mbox(path, create=False)
    try:
        for number, key in enumerate(box.iterkeys()):
            if number >= MOST_MESSAGES:
                logger.warning("only the first %d messages were read", MOST_MESSAGES)
                return
            yield from _message(email.message_from_bytes(box.get_bytes(key), policy=email.policy.default), inner)
    finally:
        box.close()


def _message(message: Any, inner: Inner) -> Iterator[Page]:
    body = message.get_body(("plain", "html")) if isinstance(message, EmailMessage) else None
    text = ""
    if body is not None:
        text = _content(body)
        if body.get_content_subtype() == "html":
            text = _from_html(text.encode("utf-8", "replace"))
    heads = {name: " ".join(str(message[name] or "").split()) for name in ("Subject", "From", "To", "Cc", "Date")}
    yield _page(heads, text)
    parts: Iterator[Any] = message.iter_attachments() if isinstance(message, EmailMessage) else iter(())
    for part in parts:
        name = part.get_filename() or ("message.eml" if part.get_content_type() == "message/rfc822" else "")
        if part.get_content_type() == "message/rfc822":
            data = part.get_payload(0).as_bytes()
        else:
            data = part.get_payload(decode=True) or b""
        if name and data:
            yield from inner(name, data)


def _content(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError, KeyError, ValueError):
        from ingest.loaders.text import decode

        payload = part.get_payload(decode=True)
        return decode(payload) if isinstance(payload, bytes) and payload else ""


def _outlook(path: Path, inner: Inner) -> Iterator[Page]:
    from oxmsg import Message

    message = Message.load(str(path))
    heads = email.message_from_string(
        "\n".join(f"{k}: {v}" for k, v in message.message_headers.items()), policy=email.policy.default
    )
    people = ", ".join(filter(None, (each.name or each.email_address for each in message.recipients)))
    text = message.body or (_from_html(message.html_body.encode()) if message.html_body else "")
    said = {
        "Subject": message.subject or "",
        "From": " ".join(str(heads["From"] or message.sender or "").split()),
        "To": people or str(heads["To"] or ""),
        "Date": str(message.sent_date or ""),
    }
    yield _page(said, text)
    for each in message.attachments:
        if each.file_name and each.file_bytes:
            yield from inner(each.file_name, each.file_bytes)


def _page(heads: dict[str, str], text: str) -> Page:
    shown = [f"{name}: {said}" for name, said in heads.items() if said]
    text = _QUOTED.sub("", text.replace("\r\n", "\n")).strip()
    label = " · ".join(filter(None, (heads["Subject"], heads["From"], heads["Date"])))
    return Page("\n".join([*shown, "", text]).strip(), label=label[:200] or "mail")


def _from_html(data: bytes) -> str:
    from ingest.loaders import html

    return html.page_of(data).text
