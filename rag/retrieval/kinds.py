"""Which kind of answer a question wants. A wrong kind costs form, never truth."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Kind", "asks_for_sources", "kind_of"]

Kind = Literal["fact", "yesno", "list", "steps", "why", "compare", "summary", "table", "files", "smalltalk"]

# The first kind one of whose patterns is found; a question of none asks for a fact.
_KINDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (
        "smalltalk",
        (
            r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks?|thank you|thx|bye|goodbye|ok(?:ay)?|great"
            r"|cool|nice)\b[^?？]{0,25}$",
            r"^(?:你好|您好|嗨|哈喽|早上好|下午好|晚上好|早|谢谢|多谢|感谢|再见|拜拜|好的|辛苦了|在吗)[^?？]{0,10}[?？]?$",
            r"^(?:hi |hello )?(?:who|what) (?:are|r) (?:you|u)\b",
            r"^(?:what|how) (?:can|do|could) you (?:do|help|work)\b",
            r"^are you (?:an? |the )?(?:ai|bot|robot|human|person|machine|real|chatgpt)\b",
            r"你(?:是|叫)(?:谁|什么|啥|哪)|你能(?:做|干|帮)(?:什么|啥|我)|(?:介绍|说说)一?下?你自己|你会(?:什么|啥|做什么)",
        ),
    ),
    (
        "summary",
        (
            r"\bsum(?:mary|mari[sz]e|s? up)\b|\boverview\b|\btl;?dr\b|\bin (?:a nutshell|brief)\b|\bgist of\b",
            r"\bkey (?:points|takeaways)\b|\bmain (?:points|ideas)\b|\boutline\b",
            r"\bwhat(?:'s| is| does) (?:the |this |that )?[^?]{2,60}? (?:all )?(?:about|say|cover)\s*\??$",
            r"总结|概括|概述|归纳|摘要|要点|大意|大致(?:内容|讲)|主要(?:内容|讲|说)|综述|说了些什么|梳理|讲(?:了|的是?)(?:什么|些什么)",
        ),
    ),
    (
        "table",
        (
            r"\b(?:average|mean|median|total|sum|count)\b(?! of \w+ is)",
            r"\bhow many (?!years|days|hours|minutes|times|months|weeks|people can|litres|liters|kilo|metres|meters)\w+"
            r"[^?]* (?:are there|there are|in (?:the|this) (?:list|table|file|sheet)|were there|have|came|did)\b",
            r"\b(?:largest|smallest|highest|lowest|cheapest|most expensive|biggest|most|fewest) \w+ (?:in|of|on) (?:the|this)"
            r" (?:list|table|file|sheet|reviews?|directory)",
            r"平均|统计|总共|一共|合计|总数|总计|总和|加起来|有多少(?:人|条|个|名|行|种|家|笔|台)(?!可|能)|有几(?:个|条|人|名|行|家|笔)",
            r"(?:数量|金额|价格|分数|评分|销量|库存|年龄)?最(?:多|少|高|低|大|小|贵|便宜)的(?:是|有)?(?:谁|什么|哪)",
            r"按.{1,8}(?:数|统计|算)",
        ),
    ),
    (
        "compare",
        (
            r"\bcompar\w+|\bdiffer(?:s|ed|ence|ences|ent)?\b|\bversus\b|\bvs\b\.?|\bbetter than\b|\bpros and cons\b",
            r"\b(?:which|who|whose)\b[^?]* (?:earlier|later|older|younger|higher|greater|lower|longer|shorter|larger|bigger"
            r"|smaller|faster|slower|cheaper|better|more|less)\b",
            r"\b(?:higher|greater|lower|longer|larger|bigger|smaller|faster|cheaper|better|more|less)\b[^?]{0,40}\bthan\b",
            r"比较|对比|相比|区别|不同|差异|差别|异同|优缺点|和.{1,20}哪个|与.{1,20}哪个|谁更|哪(?:个|家|种|款|一)[^？?]*更|更[早晚高低多少大小长短]|哪个.{0,8}[多少高低大小快慢贵好]$|\bchanged between\b",
        ),
    ),
    (
        "why",
        (
            r"\bwhy\b|\bhow come\b|\bwhat(?:'s| is| was) the (?:reason|cause)\b|\bfor what reason\b|\bis there a reason\b",
            r"\bwhat causes?\b|\breasons? (?:for|why)\b",
            r"为什么|为何|为啥|原因|怎么会|何以|凭什么|缘由|理由",
        ),
    ),
    (
        "steps",
        (
            r"\bhow (?:do|can|should|could|would|to|does one|did|does|is|are|was|were)\b(?! (?:you|u) (?:do|help|work)\b)",
            r"\bsteps?\b|\bwhat now\b|\bwhat (?:do|should) i have to do\b|\bset up\b|\bwalk me through\b|\bguide me\b|\binstructions?\b|\bprocedure\b|\bhow does that go\b",
            r"怎么(?!会|样的人)|如何|怎样|咋|步骤|流程|操作方法|该怎么|手续",
        ),
    ),
    (
        "list",
        (
            r"\blist\b|\bname (?:all|the|some|every)\b|\bwhat (?:are|were) (?:all |the )?\w+|\bevery \w+ (?:in|of)\b|\bwhich (?!one\b)\w+s (?:are|do|does|were|have|can"
            r"|should|must)\b|\ball (?:the|of the)\b|\bwho all\b|\bwhat (?:kinds?|types?|sorts?) of\b|\benumerate\b",
            r"哪些|有什么(?!区别)|列(?:出|举|一下)|分别(?:是|有)|都有(?:什么|谁)|包括什么|(?:几|多少)(?:种|类|项)|名单",
        ),
    ),
    (
        "yesno",
        (
            r"^(?:so |and |but |please check (?:if|whether) |(?:please )?check whether |tell me (?:if|whether) )?(?:is|are|was|were|do|does"
            r"|did|can|could|may|might|must|should|will|would|has|have|am|isn't|aren't|don't|doesn't|can't)\b",
            r"\bwhether\b|, right\s*\??$|\bis it (?:true|ok|okay|allowed|possible)\b",
            r"吗|是否|能不能|可不可以|是不是|有没有|会不会|要不要|该不该|行不行|允不允许|对不对|能否|可否|[吧么][？?]?$|(\w)不\1",
        ),
    ),
)
_PATTERNS = [(kind, re.compile("|".join(patterns), re.IGNORECASE)) for kind, patterns in _KINDS]


_POLITE = re.compile(
    r"^(?:please|(?:do you|does anyone) know|(?:can|could|would) you (?:please )?(?:tell|give|show) me|请问?|麻烦(?:你|您)?|帮我)\s*",
    re.IGNORECASE,
)


def kind_of(question: str) -> Kind:
    """The kind of answer that `question` wants; "fact" where nothing says otherwise."""
    text = " ".join(question.split())
    if asks_for_sources(text):
        return "files"
    text = _POLITE.sub("", text)
    return next((kind for kind, pattern in _PATTERNS if pattern.search(text)), "fact")


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


_ABOUT = re.compile(
    rf"\b(?:which|what) {_FILES} (?:are|is|were|mention|talk|deal|cover|contain|discuss|describe|have)\b"
    rf"|\b(?:find|show|list|give)(?: me)? (?:all |any |the )*{_FILES} (?:about|on|that|which|mentioning|with)\b"
    rf"|(?:哪些|哪个|哪几个|什么|有没有|找)(?:一?下)?[^？?]{{0,12}}(?:文档|文件)|(?:文档|文件)[^？?]{{0,6}}(?:是关于|关于|提到|涉及)",
    re.IGNORECASE,
)


def asks_for_sources(question: str) -> bool:
    """Whether `question` is about the documents as such ("What are these documents about?")."""
    text = " ".join(question.split())
    return bool(_ASKS.search(text) or _ASKS_ZH.search(text) or _ABOUT.search(text))
