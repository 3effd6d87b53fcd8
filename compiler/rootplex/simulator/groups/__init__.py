"""Which functions must go together: Linux's IOMMU groups by either algorithm, what Xen says, what is safe.
Each gives a `Grouping`; `guests` is what a guest's wish meets in them."""
