"""`tests.corpus.test_import_trees` on the files as they were collected."""

from tests.corpus.test_import_trees import *
