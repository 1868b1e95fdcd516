"""The words that ask."""

from __future__ import annotations

import re

ASKING = re.compile(r"什么|谁|哪|几|多少|多[长久大高重远快]|何|怎|如何|为什么")
ASKS_FOR = re.compile(rf"\b(?:what|which|who|whom|whose|when|where|why|how)\b|{ASKING.pattern}", re.IGNORECASE)
