"""Numbers of grounding that were fitted or chosen by measuring."""

from __future__ import annotations

ALIKE = 0.55
"""Two sentences speak of the same thing where this share of their terms, figures and units aside, is common.
Chosen on the sample folder; on the questions of XQuAD and CMRC it names hardly any conflict where none is."""
DAY = 86_400_000_000_000
"""Nanoseconds: times of change nearer than this say nothing of which version is newer (files copied together)."""

# A statement is supported where this share of its terms stands in at most WINDOW sentences of one
# passage, and every number of it does. Chosen on the sample questions of `data/questions.toml`.
COVERAGE = 0.6
WINDOW = 3
TRIED = 8
"""Places that a statement is held against, the best first, until one says it and speaks of what is asked."""
GIVEN = 0.25
"""The least share of a statement's terms, those of the question among them, that its place must have."""
# Chosen on 300 questions of XQuAD and CMRC: fewer wrong citations, and no right answer lost (.8 lost two).
ON_TOPIC = 0.7
ASKED = 0.1
"""The least share of what a short question asks that the place of its answer has. Of 120 answers to questions of
XQuAD, CMRC and DRAGONBall it bars 8 of 24 to questions that their documents do not answer, and no right one."""
# Across languages no words are shared: the sentence must mean the same by the embedder's cosine. In the
# built-in embedder translations reach .25 and above (its second block alone compares them), the rest .1.
CROSS_COSINE = 0.2

# Logistic models of what was found (see `Signs`) and of the model's own doubt (as log odds), fitted on questions
# asked once with their documents and once without them; the bias is .16 higher, since an answer that nothing
# supports is refused as well. At 0.5 both mistakes weigh the same then. Cosines of other scripts than Latin come
# from another model and are lower for the same worth. Across languages no words are shared, and the score is all
# there is.
# Prompts that ask for sentences make a model doubt less, in Chinese most: both biases were lowered on 135
# questions of the sample folder, XQuAD and Vue's documentation asked with them; the order of questions is as it
# was (AUC .87 to .99 a set).
# Since a place must speak of what is asked, a bias .4 higher is enough: of 30 questions of XQuAD, asked twice,
# .20 are refused wrongly in place of .27, and .97 or more rightly.
BIAS, LEAD, CLOSENESS, RARITY, MISSING, DOUBT = -7.5, 7.9, 3.17, 7.8, -6.25, -0.59
OTHER_SCRIPT = 1.5
# What a small model makes of a question in another language has other words than the passage that answers: of 56
# questions of XQuAD across languages half had no document; with this .36 of the others are refused, .64 at -0.85.
TRANSLATED = 0.5
ACROSS_BIAS, ACROSS_SCORE, ACROSS_DOUBT = -3.0, 6.0, -0.9
DOUBTED = -1.6
"""Log odds of the model's doubt at which it is as likely as not that a named document does not answer. Chosen on
170 questions of DRAGONBall and Vue's documentation: of 19 without an answer 11 are above, of the others 7 %."""
_LEAST = 1e-3
"""Doubt below this tells no more: the log odds of a probability near 0 are mostly noise."""
_RIVAL = 0.6
"""A hit with this share of the question's terms may answer as well: that it is near tells nothing."""
_MOST_LEAD, _NO_RIVAL = 0.15, 0.07
"""A greater lead says no more; where no hit is a stranger to the question, it is taken for a middling one."""

# A claim that joins what stands apart. Chosen by reading summaries of the sample folder.
JOINT_TERMS = 6
"""Terms of a claim, those of the question aside, that may be spread over several places."""
JOINT_COVERAGE = 0.7
"""Share of them that the places must have together."""
DATED_BY = 2
"""Sentences before a place whose month is its month as well."""
JOINT_PLACES = 4
"""Places that one claim may stand on."""
# Of `rag.grounding.entailment`, chosen on half 0 of tests/grounding/pairs.toml and of the pairs over Vue's
# documentation; `python -m benchmarks.pairs` prints both halves.
ALIGNED = 0.6
"""A clause of the statement is held against the clause of the passage that has this share of its content."""
SCOPE, SCOPE_ZH = 3, 4
"""A negation denies so many content tokens after it."""
LIKE, OF_BOTH = 0.3, 0.9
"""Two clauses are alike that share so much of the shorter; a mixture has this share of its words from both."""
COUNTED = 3
"""A summary counts up to so many things that its passage names one by one."""
LONGEST = 1200
"""Characters of a statement; of a passage, three times as many are read. What is longer is no sentence."""
