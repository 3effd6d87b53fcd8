"""Tests of vendors' device trees on the files as they were collected."""

from tests.checks.test_vendor_trees import (
    test_every_fault_of_the_corpus_and_no_other,
    test_notes_tell_what_is_odd_and_no_fault,
)
from tests.readers.test_dtb import (
    test_mutated_vendor_blobs_give_a_tree_or_unreadable,
    test_vendor_blobs_read_the_same_through_the_fdt_library,
)
from tests.simulator.linux.test_linux_rootbridges_dt import test_vendor_boards
