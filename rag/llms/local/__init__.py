"""Language models on this machine: GGUF files run by llama.cpp inside this process.

In: messages, and a grammar if the answer must keep to one. Out: pieces of text as they are written.
"""

__all__ = ["engine", "gguf", "llm", "template"]
