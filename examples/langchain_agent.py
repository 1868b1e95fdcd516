"""An agent of LangChain's that looks things up in your documents.

python examples/langchain_agent.py faiss:data/index openai:gpt-5-mini "How hot is the water of the Tern 2?"
"""

import sys

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel

from rag import RAG
from rag.langchain import rag_tool


def ask(rag: RAG, model: str | BaseChatModel, question: str) -> str:
    """What the agent says once it has searched the documents."""
    tool = rag_tool(rag, k=3, name="search_manuals", description="Searches the manuals of our coffee machines.")
    agent = create_agent(model, [tool], system_prompt="Answer from the manuals. Name file and page.")
    messages = agent.invoke({"messages": [("user", question)]})["messages"]
    return str(messages[-1].content)


if __name__ == "__main__":
    index, model, question = sys.argv[1:]
    with RAG.open(index, llm="none") as rag:
        print(ask(rag, model, question))
