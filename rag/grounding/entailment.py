"""stub"""


def agrees(statement: str, passage: str, context: str = "") -> bool:
    return True
