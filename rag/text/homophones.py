"""Chinese characters that sound alike: what is typed by its sound is mistaken for another of the same sound.

The 3,755 common characters of GB/T 2312 are in the order of their sounds there; `_FIRST` is the first of each.
Source: GB/T 2312-1980, level 1, as Python's codec has it; the sounds (Hanyu Pinyin without tones) are pypinyin's.
"""

from __future__ import annotations

from functools import cache

__all__ = ["homophones"]

_FIRST = frozenset(
    "啊埃鞍肮凹芭白斑邦苞杯奔崩逼鞭标鳖彬兵玻捕擦猜餐苍操厕层插拆搀昌超车郴撑吃充抽初揣川疮吹春戳疵聪凑粗"
    "蹿摧村磋搭呆耽当刀德蹬堤颠碉跌丁丢东兜督端堆墩掇蛾恩而发藩坊菲芬丰佛否夫噶该干冈篙哥给根耕工钩辜刮乖"
    "棺光瑰辊锅哈骸酣夯壕呵嘿痕哼轰喉呼花槐欢荒灰荤豁击嘉歼僵蕉揭巾荆炯揪鞠捐撅均喀开刊康考坷肯坑空抠枯夸"
    "块宽匡亏坤括垃莱蓝琅捞勒雷棱厘俩联粮撩列琳玲溜龙楼芦驴峦掠抡萝妈埋瞒芒猫么玫门萌眯棉苗蔑民明谬摸谋拇"
    "拿氖南囊挠呢馁嫩能妮蔫娘鸟捏您柠牛脓奴女暖虐挪哦欧啪拍攀乓抛呸喷砰坯篇飘撇拼乒坡剖扑期掐牵枪橇切钦青"
    "琼秋趋圈缺裙然瓤饶惹壬扔日戎揉茹软蕊闰若撒腮三桑搔瑟森僧莎筛珊墒梢奢砷声师收蔬刷摔栓霜谁吮说斯松搜苏"
    "酸虽孙蓑塌胎坍汤掏特藤梯天挑贴厅通偷凸湍推吞拖挖歪豌汪威瘟嗡挝巫昔瞎掀相萧楔薪星兄休墟轩靴勋压焉殃邀"
    "椰一茵英哟拥幽迂鸳曰耘匝栽咱赃遭责贼怎增扎摘瞻樟招遮珍蒸芝中舟珠抓拽专桩椎谆捉兹鬃邹租钻嘴尊昨"
)


def homophones(character: str) -> str:
    """The common characters that sound like `character`, whatever their tone, without itself; of others none."""
    return _groups().get(character, "").replace(character, "")


@cache
def _groups() -> dict[str, str]:
    groups: list[str] = []
    for row in range(0xB0, 0xD8):
        for character in bytes(byte for column in range(0xA1, 0xFF) for byte in (row, column)).decode(
            "gb2312", "ignore"
        ):
            if character in _FIRST:
                groups.append("")
            groups[-1] += character
    return {character: group for group in groups for character in group}
