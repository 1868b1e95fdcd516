"""Word vectors, and texts as their weighted means.

In: a file of Word2Vec, GloVe or fastText, or a folder of model2vec. Out: `WordVectors`, and an `Embedder`.
"""

from rag.embedders.words.embedder import WordsEmbedder
from rag.embedders.words.vectors import WordVectors, load_word_vectors

__all__ = ["WordVectors", "WordsEmbedder", "load_word_vectors"]
