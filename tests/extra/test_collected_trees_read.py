"""`tests.readers.test_vendor_dtbs` on the files as they were collected."""

from tests.readers.test_vendor_dtbs import *
