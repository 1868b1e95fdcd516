"""What stands where on a page, made into text that is read as a person reads it.

In: words with their boxes, from a PDF or from OCR. Out: lines in reading order, and from them a page's text with
its headings and the place of every word.
Read in this order: `words`, `order` (with `columns`), `wrapping`, `compose`.
"""

__all__ = ["columns", "compose", "order", "words", "wrapping"]
