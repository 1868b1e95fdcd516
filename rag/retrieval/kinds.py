"""Which kind of answer a question wants."""

from __future__ import annotations

import re

_FILES = (
    r"(?:documents?|docs|files?|sources?|texts?|papers?|materials?|folder|collection|index|library|knowledge base)"
)
_ASKS = re.compile(
    rf"\bwhat(?:'s| is| are| do| does)? (?:(?:all|in|inside|is in) )?(?:of )?(?:these|the|my|your"
    rf"|those|this|our|all) (?:\w+ )?{_FILES}"
    r"(?: here)?(?: (?:all )?(?:about|cover|contain|say|talk about|deal with|describe|treat"
    r"|hold))?(?: overall| in general| here)?\s*\??$"
    rf"|\b(?:which|what) {_FILES} (?:are there|are here|do you (?:have|know|see)|have you(?: got"
    rf"| read)?|can you (?:see|read)|are (?:in|indexed|available|loaded))\b"
    rf"|^(?:please )?(?:list|summari[sz]e|describe|show me|give me an overview of|an? overview of"
    rf"|name)(?: me)? (?:all )?(?:of )?(?:the|these|my|your|all|those|this|our) {_FILES}\s*[?.!]?$"
    r"|^what (?:can i ask(?: you)?(?: about)?|do you know(?: about)?|topics (?:do (?:these"
    r"|the) \w+ cover|are (?:there|covered)))\s*\??$",
    re.IGNORECASE,
)
_FILES_ZH = r"(?:文档|文件|资料|材料|文章|文本|知识库|文件夹|文集|索引|语料)"
_ASKS_ZH = re.compile(
    rf"^(?:请问)?(?:我的|你的|这里的|这里|这些|那些|该|这个|这批|这份|所有|全部|上传的|导入的|目前的?"
    rf"|现在的?)?的?{_FILES_ZH}(?:里面|里|中|内|库)?"
    r"(?:都|主要|大概|大致|分别|总共|一共)*(?:是)?(?:有|讲|说|写|谈|介绍|包含|涉及|关于|涵盖"
    r"|收录)?(?:了|的是|的|着)?(?:些)?(?:什么|哪些|啥)(?:方面|内容|主题|东西|话题|文档|文件|资料"
    r"|事)?(?:的)?(?:内容)?(?:呢|啊|呀)?[？?。]?$"
    rf"|^(?:请问)?(?:你|你们|这里|目前|现在|库里|库中|索引里|文件夹里)?(?:都|里|中)?(?:有|看过|读过"
    rf"|收录了|导入了|包含|知道)(?:了)?(?:哪些|什么|几份|多少份?){_FILES_ZH}(?:呢)?[？?。]?$"
    rf"|^(?:请|帮我)?(?:概括|总结|概述|列出|介绍|归纳|罗列)(?:一下|下)?(?:这些|所有|全部|我的|这里的"
    rf"|这批)?(?:的)?{_FILES_ZH}(?:的)?(?:内容|主题)?[。？?]?$"
    r"|^(?:我)?(?:可以|能)(?:问|向)你(?:问)?(?:些)?(?:什么|哪些)(?:问题)?[？?]?$",
)


def asks_for_sources(question: str) -> bool:
    """Whether `question` is about the documents as such ("What are these documents about?")."""
    text = " ".join(question.split())
    return bool(_ASKS.search(text) or _ASKS_ZH.search(text))
