"""Numbers of the search that were chosen by measuring."""

from __future__ import annotations

CANDIDATES = 100
"""How many chunks each side of the search brings, at least."""
COVERED = 0.9
"""A passage whose words are all in a better one, and this share of them beside the same words, is its copy."""
MOST_WORDINGS = 4
"""Wordings of one question that are searched, where synonyms are kept: each takes as long as a question."""
SHORTEST_MENDED = 5
"""Letters of the shortest stem that is taken for misspelt: of fewer, too many differ by one letter."""
COHESION = 0.3
"""Two characters are a word where they are at most so much rarer together than the rarer of them alone. Chosen on
questions of DuReader-robust with a character mistyped: the most mended that costs the others less than .001."""
FEW_PAIRS = 10
"""Pairs of characters of the longest Chinese question that is mended: a longer one is found by its other words."""
CROSS_SCRIPT_WEIGHT = {"latin": 0.8, "other": 0.55}
"""The cosine's weight for a chunk in another script, by the question's: no words are shared, so meaning is all
there is. An embedder whose cosines are smaller there says by how much (`cross_script`), and is made up for.
Chosen on English and Chinese paragraphs in one index: what is in the question's own language loses nothing."""

# A sentence's score: its own likeness to the question by meaning and by words, its chunk's score, and some of the
# better of its neighbours' scores, since an answer is read better beside what leads to it. What is asked to be
# explained is explained where a sentence begins with it.
MEANING, WORDS, CHUNK, BESIDE, EXPLAINS = 0.5, 1.0, 2.5, 0.2, 0.5
MOST_SENTENCES = 120
"""Sentences that are weighed, of the best hits; more would cost time and bring nothing."""

# Documents that a question names. Chosen on questions over the reports of RAGEval's DRAGONBall in English (.92 of
# 1,130 get the right documents); judged on its Chinese questions (.93 of 1,258).
NAMED = 0.75
"""A title's part is named where the question has this share of it, words that many titles have counting less."""
SHORT_NAME = 4
"""Characters of a title's part that must stand in the question to the letter."""
ANOTHER = 0.5
"""A second document is named where this share of its name is not in a better one's name."""
RARE_AMONG_TITLES = 0.3
"""A word that more of the titles have than this names none of them."""
NAMES_MOST = 4
"""Documents that one question may name; more are a list, and searched as one."""
NAMING_HITS = 40
"""Hits whose titles are looked at for names that the question has."""
SOURCES_OF_A_SUBJECT = 3
"""Documents of the same title that are searched: editions, languages, copies."""
LONGER = 2
"""Times as many hits for a question that one sentence does not answer, or inside a document that is named."""
EXPECTED = 0.3
"""What a sentence gains that has a date where one is asked for, or a number. Chosen on DRAGONBall's evidence in
English and Chinese (.861 of it is read without, .872 with); XQuAD and CMRC are indifferent."""
LABEL = 60
"""A line of at most so many characters without a full stop is a title or a label: no answer by itself."""
WHOLE = 0.7
"""The best sentence's chunk is read whole where it takes at most this share of what may be read, for a question
that several sentences answer; of a fact, what stands beside it leads a small model astray."""
MOST_ROWS = 20_000
"""Chunks of a document whose tables are counted over: more would take longer than a person waits."""
