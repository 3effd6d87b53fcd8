"""What people paste of a running machine: lspci's texts, lists of IOMMU groups, the kernel's log.

| module | gives |
|---|---|
| `facts` | `Paste` and what it holds |
| `text` | `rows(text)`: lines without what a terminal, a mail or a page put around them |
| `lspci` | functions by `lspci` in each of its forms, and the tree of `lspci -t` |
| `groups` | lists of `/sys/kernel/iommu_groups` in each of their forms |
| `resources` | BARs, ROMs and bridges' windows, by lspci and by the log |
| `managers` | what Proxmox's pvesh and libvirt's virsh show |
| `log` | the kernel's messages |
| `reading` | `read_paste(text, file)`: the facts; `forms_of(head)`: what a text is |
"""
