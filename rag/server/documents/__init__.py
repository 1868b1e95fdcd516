"""In: the place of a citation. Out: the text or the picture of its page, and where the words stand there."""

__all__ = ["drawing", "drawing_process", "passages", "reading"]
