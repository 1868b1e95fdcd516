"""How help looks: commands under what they are for, and lines that fit the terminal in Chinese too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from unicodedata import east_asian_width

import click

from rag.cli.screen import say

__all__ = ["HelpFormatter", "Sections", "columns", "wrap"]

# A word, or one wide character, with the marks that must stay on its line.
_PIECES = re.compile(r"\s+|[（“‘《「]*(?:[^\s⺀-￿]+|[⺀-￿])[，。、；：）”’》」！？…]*")
_WORDS = {
    "Options": "选项",
    "Commands": "命令",
    "Show this message and exit.": "显示此说明。",
    "Show the version and exit.": "显示版本号。",
    "[default: ": "[默认：",
    "[env var: ": "[环境变量：",
}
"""What click itself says in a help."""
_NUMBER = re.compile(r"\b(?:INTEGER|FLOAT)(?: RANGE)?$")  # what click calls the value of an option


def columns(text: str) -> int:
    """The columns of a terminal that `text` takes: a Chinese character takes two."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, cut between words and between Chinese characters."""
    lines = [""]
    for piece in _PIECES.findall(" ".join(text.split())):
        if lines[-1] and columns(lines[-1] + piece.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return lines


def _in_chinese(text: str) -> str:
    for english, chinese in _WORDS.items():
        text = text.replace(english, chinese)
    return text


class HelpFormatter(click.HelpFormatter):
    """click's, which takes every character for one column and speaks English."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or say("Usage: ", "用法："))

    def write_heading(self, heading: str) -> None:
        self.write(" " * self.current_indent + say(f"{heading}:", f"{_in_chinese(heading)}：") + "\n")

    def write_text(self, text: str) -> None:
        self.write("\n\n".join(self._paragraph(each) for each in text.split("\n\n")) + "\n")

    def _paragraph(self, text: str) -> str:
        """One paragraph, its lines kept if it begins with click's mark for that."""
        mark, *kept = text.splitlines()
        lines = kept if mark == "\b" else wrap(text, self.width - self.current_indent)
        return "\n".join(" " * self.current_indent + line for line in lines)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = [(_NUMBER.sub("N", term), say(text, _in_chinese(text))) for term, text in rows]
        margin = " " * self.current_indent
        first = min(max(columns(term) for term, _ in rows), col_max) + col_spacing
        for term, text in rows:
            fits = columns(term) + col_spacing <= first
            lead = term + " " * (first - columns(term)) if fits else f"{term}\n{margin}{' ' * first}"
            between = f"\n{margin}{' ' * first}"
            self.write(margin + lead + between.join(wrap(text, self.width - len(margin) - first)) + "\n")


class Sections(click.Group):
    """A group whose help lists the commands under headings; those under none come last."""

    sections: Mapping[str, Sequence[str]] = {}

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in self._listed():
            with formatter.section(title):
                formatter.write_dl([(name, _first_sentence(self.commands[name])) for name in names])

    def _listed(self) -> Iterator[tuple[str, Sequence[str]]]:
        placed = {name for names in self.sections.values() for name in names}
        yield from self.sections.items()
        if others := sorted(self.commands.keys() - placed):
            yield "Commands", others


def _first_sentence(command: click.Command) -> str:
    return re.split(r"(?<=\.)\s|(?<=。)", command.help or "", maxsplit=1)[0]
