"""`tests.corpus.test_import_dumps` on the files as they were collected."""

from tests.corpus.test_import_dumps import *
