"""`tests.corpus.test_corpus_faults` on the files as they were collected."""

from tests.corpus.test_corpus_faults import *
