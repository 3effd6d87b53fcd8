"""vPCI: configuration space as Dom0 or a guest is shown it (§5; Xen's `drivers/vpci/`). `registers` is the
engine that each kind of register gives its handlers to, `device` all of it for a running Xen."""
