"""`tests.corpus.test_compile_imported` on the files as they were collected."""

from tests.corpus.test_compile_imported import *
