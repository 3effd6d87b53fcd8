#!/bin/sh
# rootplex capture: what this machine's kernel says of its PCI host bridges, as text.
#
#   sh snapshot.sh > snapshot.txt                  as root; reads only, writes its standard output
#   sh snapshot.sh --offer-drivers > snapshot.txt  also offers each function without an IOMMU group
#                                                  the driver pcieport, and takes the offer back
#   --root DIR                                     takes DIR/sys and DIR/proc for /sys and /proc
#
# Some kernels form a group only once a driver was offered; which groups were there before is told.
# A POSIX shell with awk, od (or hexdump), dmesg and grep is enough; busybox has them all.
#
# What leaves the machine: see the list of sections at the end. What does not: serial numbers and
# vital product data in configuration space, MAC addresses, seeds, serial numbers and the command line
# in the device tree (zero bytes, same length), words of the command line that are not about PCI, ACPI
# or the IOMMU, other ACPI tables (MSDM, SLIC, TPM2, ...), other messages of the kernel, host names.
#
# Each line reads `number/length text`, so that a cut, a gap or a damaged line shows. A block of bytes
# is `data NAME SIZE MASKED` and its rows of 16 bytes that are not all zero, `offset bytes`.

LC_ALL=C
export LC_ALL
root=
offer=no
while [ $# -gt 0 ]; do
    case $1 in
        --offer-drivers) offer=yes ;;
        --root) shift; root=${1:?--root needs a folder} ;;
        *) echo "snapshot.sh: unknown option $1 (there are --offer-drivers and --root DIR)" >&2; exit 2 ;;
    esac
    shift
done
if [ ! -d "$root/sys/bus/pci/devices" ]; then
    echo "snapshot.sh: there is no PCI in $root/sys" >&2
    exit 1
fi
if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    echo "snapshot.sh: must run as root: configuration space is cut at 64 bytes otherwise" >&2
    exit 1
fi
if [ -n "$root" ]; then
    root=$(cd -P "$root" && pwd) || exit 1
fi
sys=$root/sys
proc=$root/proc

# fact NAME FILE: the first line of a small file, where there is one. No process is started.
fact() {
    if [ -r "$2" ] && IFS= read -r line < "$2" 2>/dev/null && [ -n "$line" ]; then
        echo "$1 $line"
    fi
}

# target LINK: where a link leads, in $target without the root; empty where there is none.
target=
target() {
    target=
    if [ -e "$1" ] && cd -P "$1" 2>/dev/null; then
        target=${PWD#"$root"}
        cd /
    fi
}

# data NAME KIND FILE: a block of bytes; KIND says how it is masked.
data() {
    if [ -r "$3" ]; then
        echo "@data $1 $2"
        od -A x -t x1 "$3" 2>/dev/null || hexdump -C "$3" 2>/dev/null
        echo "@end"
    fi
}

machine() {
    echo "section machine"
    fact release "$proc/sys/kernel/osrelease"
    echo "machine $(uname -m)"
    if [ -e "$sys/firmware/acpi/tables/DSDT" ]; then
        echo "firmware acpi"
    elif [ -e "$sys/firmware/devicetree/base" ]; then
        echo "firmware dt"
    fi
    fact bios-date "$sys/class/dmi/id/bios_date"
    fact hypervisor "$sys/hypervisor/type"
    words=
    [ ! -r "$proc/cmdline" ] || IFS= read -r words < "$proc/cmdline"
    set -f
    for word in $words; do
        case $word in
            pci=* | pcie_* | pci_* | iommu=* | iommu.* | intel_iommu=* | amd_iommu=* | arm-smmu* | acpi=* | acpi_* | \
                mem=* | memmap=* | vfio* | xen-pciback* | nomsi | noats) echo "argument $word" ;;
        esac
    done
    set +f
}

# group FUNCTION, driver FUNCTION: the names, or `-`.
group() {
    target "$1/iommu_group"
    group=${target##*/}
    group=${group:--}
}
driver() {
    target "$1/driver"
    driver=${target##*/}
    driver=${driver:--}
}

at_boot() {
    echo "section boot"
    echo "offers $offer"
    for function in "$sys"/bus/pci/devices/*; do
        [ -e "$function/vendor" ] || continue
        group "$function"
        driver "$function"
        echo "boot ${function##*/} $group $driver"
    done
    [ "$offer" = yes ] || return
    set -- "$sys"/class/iommu/*
    [ -e "$1" ] || return
    # By address: the kernel finds a function's bridges grouped before the function itself.
    for function in "$sys"/bus/pci/devices/*; do
        [ -e "$function/iommu_group" ] && continue
        [ -e "$function/driver" ] && continue
        [ -w "$function/driver_override" ] || continue
        echo pcieport > "$function/driver_override"
        echo "${function##*/}" 2>/dev/null > "$sys/bus/pci/drivers_probe"
        echo > "$function/driver_override"
        echo "offered ${function##*/}"
    done 2>/dev/null
}

bridges() {
    echo "section bridges"
    for bus in "$sys"/class/pci_bus/*; do
        target "$bus"
        bridge=${target%/pci_bus/*}
        case ${bridge##*/} in
            pci*:*) ;;
            *) continue ;;
        esac
        echo "bridge ${bridge##*/}"
        echo "path ${bridge#/sys}"
        fact acpi "$root$bridge/firmware_node/path"
        fact hid "$root$bridge/firmware_node/hid"
        fact uid "$root$bridge/firmware_node/uid"
        for node in "$root$bridge/of_node" "$root${bridge%/*}/of_node"; do
            target "$node"
            case $target in
                */devicetree/base/*) echo "node /${target#*/devicetree/base/}"; break ;;
            esac
        done
        fact numa_node "$root$bridge/numa_node"
    done
}

functions() {
    echo "section functions"
    for function in "$sys"/bus/pci/devices/*; do
        [ -e "$function/vendor" ] || continue
        echo "function ${function##*/}"
        target "$function"
        echo "path ${target#/sys}"
        cd "$function" || continue
        echo "@facts"
        # One process for all of them: on an emulated machine each costs more than the rest of the line.
        grep -s "" vendor device subsystem_vendor subsystem_device revision class numa_node irq \
            ari_enabled sriov_totalvfs sriov_numvfs sriov_offset sriov_stride resource
        echo "@end"
        driver "$function"
        [ "$driver" = - ] || echo "driver $driver"
        group "$function"
        [ "$group" = - ] || echo "group $group"
        target "$function/iommu"
        [ -z "$target" ] || echo "unit ${target##*/}"
        target "$function/physfn"
        [ -z "$target" ] || echo "physfn ${target##*/}"
        target "$function/of_node"
        [ -z "$target" ] || echo "node /${target#*/devicetree/base/}"
        fact acpi "$function/firmware_node/path"
        set -- "$function"/msi_irqs/*
        [ ! -e "$1" ] || fact "msi $#" "$1"
        data config config "$function/config"
    done
}

groups() {
    echo "section groups"
    for unit in "$sys"/class/iommu/*; do
        [ ! -e "$unit" ] || echo "unit ${unit##*/}"
    done
    for one in "$sys"/kernel/iommu_groups/*; do
        [ -e "$one" ] || continue
        members=
        for member in "$one"/devices/*; do
            [ ! -e "$member" ] || members="$members ${member##*/}"
        done
        echo "group ${one##*/}$members"
        fact type "$one/type"
    done
}

resources() {
    echo "section $1"
    [ ! -r "$proc/$1" ] || sed "s/^/range /" "$proc/$1"
}

# By what a line starts with, not by what it holds: a kernel's log tells much of a machine.
messages() {
    echo "section messages"
    dmesg 2>/dev/null | awk '
        /ommand line|SerialNumber|[Hh]ostname/ { next }
        { time = ""
          if (match($0, /^(<[0-9]+>)?\[ *[0-9]+\.[0-9]+\] ?/)) {
              time = substr($0, 1, RLENGTH); sub(/^(<[0-9]+>)?\[ */, "", time); sub(/\] ?$/, "", time)
              $0 = substr($0, RLENGTH + 1) } }
        /^(pci|pci_bus|pcieport|pci_root|pciback|xen-pciback|shpchp|pciehp|pnp|acpi|iommu|arm-smmu|arm-smmu-v3|arm-smmu-v3-pcie|ACPI|PCI|PCIe|DMAR|DMAR-IR|AMD-Vi|IOMMU|ITS|GICv[23]m?|MCFG|IORT|ECAM|OF|PCI-DMA|vfio|vfio-pci|system|xen|xen_pciback)(:|\[| [^ ]*:| )/ ||
        /^[^ ]*pci[^ ]* [^ ]+: / || /^(PCI host bridge|Trying to unpack|iommu|Xen: )/ ||
        /^[a-zA-Z0-9_-]+ [0-9a-f]+:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]\.[0-7]: .*([Ii][Oo][Mm][Mm][Uu]|BAR|[Bb]ridge|resource|MSI|ACS|probe)/ {
            print "message " (time == "" ? "-" : time) " " $0 }'
}

firmware() {
    echo "section firmware"
    data dtb fdt "$sys/firmware/fdt"
    for name in APIC DMAR DSDT FACP GTDT IORT IVRS MCFG RHCT RIMT SLIT SPCR SRAT SSDT VIOT dynamic/SSDT; do
        for table in "$sys/firmware/acpi/tables/$name"*; do
            [ -r "$table" ] || continue
            kind=table
            if grep -q -e mac-address -e AUXMAC "$table"; then
                kind=mac
            fi
            data "${table#*/tables/}" $kind "$table"
        done
    done
}

{
    echo "rootplex-snapshot 1"
    machine
    at_boot
    bridges
    functions
    groups
    resources iomem
    resources ioports
    messages
    firmware
    echo "end"
} | awk '
    # Numbers the lines, and masks and packs the blocks of bytes. rows[n] is bytes 16n...16n+15 in hexadecimal.
    BEGIN {
        for (i = 0; i < 256; i++) {
            value[sprintf("%02x", i)] = i
            digits[i] = sprintf("%02x", i)
            letter[i] = sprintf("%c", i)
        }
        zeros = "00000000000000000000000000000000"
        pair = "[0-9a-fA-F][0-9a-fA-F]"
        next_pair = "[:-]" pair
        mac = pair next_pair next_pair next_pair next_pair next_pair "(" next_pair ")*"
    }

    function emit(text) {
        count++
        print count "/" length(text) " " text
    }
    function number(text,   i, n) {
        n = 0
        for (i = 1; i <= length(text); i++) n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
        return n
    }
    function byte(at,   n) {
        n = int(at / 16)
        return n in rows ? value[substr(rows[n], at % 16 * 2 + 1, 2)] + 0 : 0
    }
    function big(at) { return ((byte(at) * 256 + byte(at + 1)) * 256 + byte(at + 2)) * 256 + byte(at + 3) }
    function little(at) { return ((byte(at + 3) * 256 + byte(at + 2)) * 256 + byte(at + 1)) * 256 + byte(at) }
    function put(at, new,   n, column, old) {
        old = byte(at)
        if (old == new) return
        n = int(at / 16)
        column = at % 16 * 2
        rows[n] = substr(rows[n], 1, column) digits[new] substr(rows[n], column + 3)
        change += new - old
        masked++
    }
    function blank(at, length_,   i) {
        for (i = 0; i < length_ && at + i < size; i++) put(at + i, 0)
    }

    # Vital product data (capability 03h) and the device serial number (extended capability 0003h).
    function mask_config(   at, header, step) {
        if (int(byte(6) / 16) % 2) {
            at = byte(52)
            for (step = 0; step < 48 && at >= 64; step++) {
                at -= at % 4
                if (byte(at) == 3) blank(at + 2, 6)
                at = byte(at + 1)
            }
        }
        at = 256
        for (step = 0; step < 480 && at >= 256 && at < size; step++) {
            header = little(at)
            if (header == 0 || header == 4294967295) return
            if (header % 65536 == 3) blank(at + 4, 8)
            at = int(header / 1048576)
            at -= at % 4
        }
    }

    # The structure block, token by token (Devicetree Specification 0.4, 5.4); names are looked up once.
    function secret(at,   name, c) {
        if (at in known) return known[at]
        for (c = byte(at + length(name)); c != 0 && length(name) < 64; c = byte(at + length(name))) name = name letter[c]
        known[at] = 0
        if (name ~ /seed$|^bootargs|[Ss]erial[-_]?([Nn]|64)|[-_,]serial$|mac[-_]?addr|bd[-_]?addr|eth[0-9]*addr|uuid$|host-?name|password|asset/) known[at] = 1
        if (name == "address") known[at] = 6
        return known[at]
    }
    function mask_fdt(   at, end, strings, token, long) {
        split("", known)
        if (big(0) != 3490578157) { size = 0; return }
        at = big(8)
        strings = big(12)
        while (at < size) {
            token = big(at)
            at += 4
            if (token == 9) return
            if (token == 1) {
                while (byte(at) != 0 && at < size) at++
                at += 4 - at % 4
            } else if (token == 3) {
                long = big(at)
                hide = secret(strings + big(at + 4))
                at += 8
                if (hide == 1 || hide == long) blank(at, long)
                at += long + (4 - long % 4) % 4
            } else if (token != 2 && token != 4) break
        }
        size = 0  # not a tree that was read to its end, so not one that is known to be masked
    }

    # A buffer or package behind the string "mac-address" (ACPI 6.5, 20.2.5.4), and "_AUXMAC_#............".
    function spelled(at, text,   i) {
        for (i = 1; i <= length(text); i++) if (letter[byte(at + i - 1)] != substr(text, i, 1)) return 0
        return 1
    }
    function mask_mac(   at, i) {
        change = 0
        for (at = 36; at < size; at++) {
            if (byte(at) == 109 && spelled(at, "mac-address")) mask_object(at + 12)
            if (byte(at) == 95 && spelled(at, "_AUXMAC_#")) for (i = 9; i < 21; i++) put(at + i, 48)
        }
        put(9, ((byte(9) - change) % 256 + 256) % 256)
    }
    function mask_object(at,   op, more, long, i, end) {
        op = byte(at)
        more = int(byte(at + 1) / 64)
        long = more ? byte(at + 1) % 16 : byte(at + 1) % 64
        for (i = 1; i <= more; i++) long += byte(at + 1 + i) * 16 * 256 ^ (i - 1)
        end = at + 1 + long
        at += 2 + more
        if (op == 17) {
            at += byte(at) == 10 ? 2 : 1
            blank(at, end - at)
        }
        if (op != 18) return
        for (at++; at < end; at++) {
            if (byte(at) == 10) at++
            else if (byte(at) > 1 && byte(at) < 255) return
            put(at, 0)
        }
    }

    # Files of sysfs as `name:line`; a resource line of zeros is one that the function has not.
    $1 == "@facts" { facts = 1; resources = 0; next }
    facts && $1 == "@end" { facts = 0; next }
    facts {
        colon = index($0, ":")
        name = substr($0, 1, colon - 1)
        text = substr($0, colon + 1)
        if (name == "resource") {
            if ($3 !~ /^0x0+$/) emit("resource " resources " " text)
            resources++
        } else emit(name " " text)
        next
    }

    $1 == "@data" {
        inside = 1
        name = $2
        kind = $3
        split("", rows)
        split("", order)
        filled = size = masked = star = 0
        last = zeros
        from = 0
        next
    }
    inside && $1 == "@end" {
        inside = 0
        if (kind == "config") mask_config()
        if (kind == "fdt") mask_fdt()
        if (kind == "mac") mask_mac()
        emit("data " name " " size " " masked + 0)
        for (i = 0; i < filled && order[i] * 16 < size; i++) emit(sprintf("%x ", order[i] * 16) rows[order[i]])
        next
    }
    inside && $1 == "*" { star = 1; next }
    inside {
        sub(/\|.*/, "")
        at = number($1)
        if (star && last != zeros) for (i = from; i < at; i += 16) { rows[i / 16] = last; order[filled++] = i / 16 }
        star = 0
        size = at + NF - 1
        if (NF == 1) next
        last = ""
        for (i = 2; i <= NF; i++) last = last $i
        from = at + 16
        if (last != zeros) { rows[at / 16] = last; order[filled++] = at / 16 }
        next
    }
    {
        gsub(/[^ -~]/, "?")
        gsub(mac, "xx:xx:xx:xx:xx:xx")
        emit($0)
    }
'
