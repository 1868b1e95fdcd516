"""Questions that are computed over the rows of a table: counts, sums, averages, the greatest; and others."""

from __future__ import annotations

import pytest

from rag import RAG

PARTS = """品名,数量,单价,入库日期
螺丝,120,0.5,2025-03-01
垫片,80,0.2,2025-03-02
轴承,15,22,2025-04-03
皮带,40,35,2025-04-09
"""
PEOPLE = "姓名,部门,分机\n" + "\n".join(
    f"员工{i},{'研发部' if i % 3 else '行政部'},{7000 + i}" for i in range(1, 24)
)
SCORES = """# Exam results

| Name | Subject | Score |
|---|---|---|
| Ann | Maths | 71 |
| Bob | Maths | 64 |
| Cem | Art | 92 |

The exam was in May, and 300 people came.
"""
ORDERS = """order,date,customer,city,amount,status
O-01,2025-01-10,Acme,Berlin,"1,200.50",open
O-02,2025-02-11,Bolt,Leeds,300,paid
O-03,2025-03-12,Acme,Leeds,$50,open
O-04,2025-03-20,Cato,Berlin,75,open
O-05,2025-04-01,Acme,Berlin,,paid
"""


@pytest.fixture(scope="module")
def rag(tmp_path_factory: pytest.TempPathFactory) -> RAG:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "仓库库存.csv").write_text(PARTS, "utf-8")
    (folder / "通讯录.csv").write_text(PEOPLE, "utf-8")
    (folder / "scores.md").write_text(SCORES, "utf-8")
    (folder / "orders.csv").write_text(ORDERS, "utf-8")
    opened = RAG.open(f"faiss:{folder}/index", embedder="hashed", llm="none")
    opened.ingest(folder)
    return opened


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("通讯录里有多少人？", "通讯录.csv 中共有 23 条记录。"),
        ("How many records are in orders.csv?", "There are 5 records in orders.csv."),
        ("通讯录中研发部有多少人", "通讯录.csv 的 23 条记录中有 16 条（部门: 研发部）。"),
        ("库存中数量最多的是什么？", "数量最大的：螺丝（120），按 仓库库存.csv 的 4 行计算。"),
        ("库存里单价最贵的是什么", "单价最大的：皮带（35），按 仓库库存.csv 的 4 行计算。"),
        ("最便宜的2个品名", "单价最小的：垫片（0.2）；螺丝（0.5），按 仓库库存.csv 的 4 行计算。"),
        ("库存的总数量是多少", "数量合计：255，按 仓库库存.csv 的 4 行计算。"),
        ("单价超过 1 的品名有几种", "仓库库存.csv 的 4 条记录中有 2 条（单价 > 1）。"),
        ("三月份入库的品名有几种", "仓库库存.csv 的 4 条记录中有 2 条（入库日期: 3月）。"),
        ("What is the average score?", "The average Score is 75.67, over 3 rows of scores.md."),
        ("average score in Maths", "The average Score is 67.5, over 2 rows of scores.md (Subject: Maths)."),
        ("Who has the lowest score?", "Least Score: Bob (64), over 3 rows of scores.md."),
        (
            "total amount of orders from Berlin",
            "The sum of amount is 1,275.5, over 2 rows of orders.csv (city: Berlin).",
        ),
        ("How many orders are open?", "3 of the 5 records in orders.csv (status: open)."),
        ("how many orders in March 2025", "2 of the 5 records in orders.csv (date: March 2025)."),
        (
            "How many customers are in the orders?",
            "There are 3 different values of customer, over 5 rows of orders.csv.",
        ),
        ("Which customer has the most orders?", "Greatest number of rows: Acme (3), over 5 rows of orders.csv."),
        (
            "total amount per customer",
            "Sum of amount: Acme (1,250.5); Bolt (300); Cato (75), over 5 rows of orders.csv.",
        ),
        ("top 2 orders by amount", "Greatest amount: O-01 (1,200.50); O-02 (300), over 4 rows of orders.csv."),
        ("What is the latest order?", "Greatest date: O-05 (2025-04-01), over 5 rows of orders.csv."),
        ("How many orders have an amount over 100?", "2 of the 5 records in orders.csv (amount > 100)."),
        (
            "how many orders from Berlin in 2024",
            "0 of the 5 records in orders.csv (city: Berlin, date: 2024).",
        ),
    ],
)
def test_what_is_computed(rag: RAG, question: str, said: str) -> None:
    answer = rag.ask(question)
    assert answer.text.split(" [")[0] == said
    assert answer.citations


@pytest.mark.parametrize(
    "question",
    [
        "How many orders were not paid?",  # which rows are meant is for a reader
        "How many orders were sent back?",  # nothing in the table says so
        "What is the average height?",
        "How many orders came from Madrid?",
        "How many people came to the exam?",  # stands in the text
        "通讯录里有多少人会说法语？",
        "What is the score of Ann?",
    ],
)
def test_what_is_read_and_not_computed(rag: RAG, question: str) -> None:
    answer = rag.ask(question)
    assert not any(word in answer.text for word in ("records in", "条记录", "over ", "计算"))


def test_the_rows_are_cited(rag: RAG) -> None:
    (best,) = rag.ask("Who has the highest score?").citations
    assert best.quote == "| Cem | Art | 92 |"
    rows = rag.ask("average score in Maths").citations
    assert [row.quote for row in rows] == ["| Ann | Maths | 71 |", "| Bob | Maths | 64 |"]
    assert rag.ask("Who has the highest score?").short == "Cem"


def test_where_holds(rag: RAG) -> None:
    from rag import Where

    assert "scores.md" not in rag.ask("Who has the highest score?", Where(source="*.csv")).text
