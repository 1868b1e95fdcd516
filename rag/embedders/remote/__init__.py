"""Embedders over a network: services, servers of the user's, and LangChain's classes.

In: texts. Out: vectors, each asked for once and then kept in the user's cache.
"""

__all__ = ["base", "cache", "dashscope", "langchain", "ollama", "openai", "options", "vectorfile"]
