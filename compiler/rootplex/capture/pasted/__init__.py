"""What people paste of a running machine: lspci's texts, lists of IOMMU groups, the kernel's log.
`read_paste` gives what it holds, a `Paste`."""
