/*
 * The PCI host bridges of qemu-virtio-iommu, compiled by Rootplex from its description.
 */
DefinitionBlock ("", "SSDT", 2, "BOCHS ", "BXPC    ", 0x00000002)
{
    Scope (\_SB)
    {
        // The configuration space of the described buses: outside every host bridge.
        Device (ECAM)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, "ECAM")
            Name (_CRS, ResourceTemplate ()
            {
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000004010000000,
                    0x000000401FFFFFFF,
                    0x0000000000000000,
                    0x0000000010000000
                ) // pcie
            })
        }

        Device (PC00) // pcie
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0000)
            Name (_BBN, 0x00)
            Name (_UID, 0x0)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0000, // minimum, on the bus
                    0x00FF, // maximum
                    0x0000, // translation to the CPU
                    0x0100 // length
                )
                DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x00000000, // granularity
                    0x00000000, // minimum, on the bus
                    0x0000FFFF, // maximum
                    0x3EFF0000, // translation to the CPU
                    0x00010000, // length
                    , , , TypeTranslation, DenseTranslation
                )
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, // granularity
                    0x10000000, // minimum, on the bus
                    0x3EFEFFFF, // maximum
                    0x00000000, // translation to the CPU
                    0x2EFF0000 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000008000000000, // minimum, on the bus
                    0x000000FFFFFFFFFF, // maximum
                    0x0000000000000000, // translation to the CPU
                    0x0000008000000000 // length
                )
            })
            Name (_PRT, Package ()
            {
                Package () { 0x0000FFFF, 0, 0, 0x23 },
                Package () { 0x0000FFFF, 1, 0, 0x24 },
                Package () { 0x0000FFFF, 2, 0, 0x25 },
                Package () { 0x0000FFFF, 3, 0, 0x26 },
                Package () { 0x0001FFFF, 0, 0, 0x24 },
                Package () { 0x0001FFFF, 1, 0, 0x25 },
                Package () { 0x0001FFFF, 2, 0, 0x26 },
                Package () { 0x0001FFFF, 3, 0, 0x23 },
                Package () { 0x0002FFFF, 0, 0, 0x25 },
                Package () { 0x0002FFFF, 1, 0, 0x26 },
                Package () { 0x0002FFFF, 2, 0, 0x23 },
                Package () { 0x0002FFFF, 3, 0, 0x24 },
                Package () { 0x0003FFFF, 0, 0, 0x26 },
                Package () { 0x0003FFFF, 1, 0, 0x23 },
                Package () { 0x0003FFFF, 2, 0, 0x24 },
                Package () { 0x0003FFFF, 3, 0, 0x25 },
                Package () { 0x0004FFFF, 0, 0, 0x23 },
                Package () { 0x0004FFFF, 1, 0, 0x24 },
                Package () { 0x0004FFFF, 2, 0, 0x25 },
                Package () { 0x0004FFFF, 3, 0, 0x26 },
                Package () { 0x0005FFFF, 0, 0, 0x24 },
                Package () { 0x0005FFFF, 1, 0, 0x25 },
                Package () { 0x0005FFFF, 2, 0, 0x26 },
                Package () { 0x0005FFFF, 3, 0, 0x23 },
                Package () { 0x0006FFFF, 0, 0, 0x25 },
                Package () { 0x0006FFFF, 1, 0, 0x26 },
                Package () { 0x0006FFFF, 2, 0, 0x23 },
                Package () { 0x0006FFFF, 3, 0, 0x24 },
                Package () { 0x0007FFFF, 0, 0, 0x26 },
                Package () { 0x0007FFFF, 1, 0, 0x23 },
                Package () { 0x0007FFFF, 2, 0, 0x24 },
                Package () { 0x0007FFFF, 3, 0, 0x25 },
                Package () { 0x0008FFFF, 0, 0, 0x23 },
                Package () { 0x0008FFFF, 1, 0, 0x24 },
                Package () { 0x0008FFFF, 2, 0, 0x25 },
                Package () { 0x0008FFFF, 3, 0, 0x26 },
                Package () { 0x0009FFFF, 0, 0, 0x24 },
                Package () { 0x0009FFFF, 1, 0, 0x25 },
                Package () { 0x0009FFFF, 2, 0, 0x26 },
                Package () { 0x0009FFFF, 3, 0, 0x23 },
                Package () { 0x000AFFFF, 0, 0, 0x25 },
                Package () { 0x000AFFFF, 1, 0, 0x26 },
                Package () { 0x000AFFFF, 2, 0, 0x23 },
                Package () { 0x000AFFFF, 3, 0, 0x24 },
                Package () { 0x000BFFFF, 0, 0, 0x26 },
                Package () { 0x000BFFFF, 1, 0, 0x23 },
                Package () { 0x000BFFFF, 2, 0, 0x24 },
                Package () { 0x000BFFFF, 3, 0, 0x25 },
                Package () { 0x000CFFFF, 0, 0, 0x23 },
                Package () { 0x000CFFFF, 1, 0, 0x24 },
                Package () { 0x000CFFFF, 2, 0, 0x25 },
                Package () { 0x000CFFFF, 3, 0, 0x26 },
                Package () { 0x000DFFFF, 0, 0, 0x24 },
                Package () { 0x000DFFFF, 1, 0, 0x25 },
                Package () { 0x000DFFFF, 2, 0, 0x26 },
                Package () { 0x000DFFFF, 3, 0, 0x23 },
                Package () { 0x000EFFFF, 0, 0, 0x25 },
                Package () { 0x000EFFFF, 1, 0, 0x26 },
                Package () { 0x000EFFFF, 2, 0, 0x23 },
                Package () { 0x000EFFFF, 3, 0, 0x24 },
                Package () { 0x000FFFFF, 0, 0, 0x26 },
                Package () { 0x000FFFFF, 1, 0, 0x23 },
                Package () { 0x000FFFFF, 2, 0, 0x24 },
                Package () { 0x000FFFFF, 3, 0, 0x25 },
                Package () { 0x0010FFFF, 0, 0, 0x23 },
                Package () { 0x0010FFFF, 1, 0, 0x24 },
                Package () { 0x0010FFFF, 2, 0, 0x25 },
                Package () { 0x0010FFFF, 3, 0, 0x26 },
                Package () { 0x0011FFFF, 0, 0, 0x24 },
                Package () { 0x0011FFFF, 1, 0, 0x25 },
                Package () { 0x0011FFFF, 2, 0, 0x26 },
                Package () { 0x0011FFFF, 3, 0, 0x23 },
                Package () { 0x0012FFFF, 0, 0, 0x25 },
                Package () { 0x0012FFFF, 1, 0, 0x26 },
                Package () { 0x0012FFFF, 2, 0, 0x23 },
                Package () { 0x0012FFFF, 3, 0, 0x24 },
                Package () { 0x0013FFFF, 0, 0, 0x26 },
                Package () { 0x0013FFFF, 1, 0, 0x23 },
                Package () { 0x0013FFFF, 2, 0, 0x24 },
                Package () { 0x0013FFFF, 3, 0, 0x25 },
                Package () { 0x0014FFFF, 0, 0, 0x23 },
                Package () { 0x0014FFFF, 1, 0, 0x24 },
                Package () { 0x0014FFFF, 2, 0, 0x25 },
                Package () { 0x0014FFFF, 3, 0, 0x26 },
                Package () { 0x0015FFFF, 0, 0, 0x24 },
                Package () { 0x0015FFFF, 1, 0, 0x25 },
                Package () { 0x0015FFFF, 2, 0, 0x26 },
                Package () { 0x0015FFFF, 3, 0, 0x23 },
                Package () { 0x0016FFFF, 0, 0, 0x25 },
                Package () { 0x0016FFFF, 1, 0, 0x26 },
                Package () { 0x0016FFFF, 2, 0, 0x23 },
                Package () { 0x0016FFFF, 3, 0, 0x24 },
                Package () { 0x0017FFFF, 0, 0, 0x26 },
                Package () { 0x0017FFFF, 1, 0, 0x23 },
                Package () { 0x0017FFFF, 2, 0, 0x24 },
                Package () { 0x0017FFFF, 3, 0, 0x25 },
                Package () { 0x0018FFFF, 0, 0, 0x23 },
                Package () { 0x0018FFFF, 1, 0, 0x24 },
                Package () { 0x0018FFFF, 2, 0, 0x25 },
                Package () { 0x0018FFFF, 3, 0, 0x26 },
                Package () { 0x0019FFFF, 0, 0, 0x24 },
                Package () { 0x0019FFFF, 1, 0, 0x25 },
                Package () { 0x0019FFFF, 2, 0, 0x26 },
                Package () { 0x0019FFFF, 3, 0, 0x23 },
                Package () { 0x001AFFFF, 0, 0, 0x25 },
                Package () { 0x001AFFFF, 1, 0, 0x26 },
                Package () { 0x001AFFFF, 2, 0, 0x23 },
                Package () { 0x001AFFFF, 3, 0, 0x24 },
                Package () { 0x001BFFFF, 0, 0, 0x26 },
                Package () { 0x001BFFFF, 1, 0, 0x23 },
                Package () { 0x001BFFFF, 2, 0, 0x24 },
                Package () { 0x001BFFFF, 3, 0, 0x25 },
                Package () { 0x001CFFFF, 0, 0, 0x23 },
                Package () { 0x001CFFFF, 1, 0, 0x24 },
                Package () { 0x001CFFFF, 2, 0, 0x25 },
                Package () { 0x001CFFFF, 3, 0, 0x26 },
                Package () { 0x001DFFFF, 0, 0, 0x24 },
                Package () { 0x001DFFFF, 1, 0, 0x25 },
                Package () { 0x001DFFFF, 2, 0, 0x26 },
                Package () { 0x001DFFFF, 3, 0, 0x23 },
                Package () { 0x001EFFFF, 0, 0, 0x25 },
                Package () { 0x001EFFFF, 1, 0, 0x26 },
                Package () { 0x001EFFFF, 2, 0, 0x23 },
                Package () { 0x001EFFFF, 3, 0, 0x24 },
                Package () { 0x001FFFFF, 0, 0, 0x26 },
                Package () { 0x001FFFFF, 1, 0, 0x23 },
                Package () { 0x001FFFFF, 2, 0, 0x24 },
                Package () { 0x001FFFFF, 3, 0, 0x25 }
            })
            Method (_OSC, 4, Serialized)
            {
                CreateDWordField (Arg3, 0x00, CDW1)
                If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
                {
                    CDW1 |= 0x04 // unknown UUID
                    Return (Arg3)
                }
                If (Arg1 != 1)
                {
                    CDW1 |= 0x08 // unknown revision
                    Return (Arg3)
                }
                If (Arg2 < 3)
                {
                    CDW1 |= 0x02 // no room for the answer
                    Return (Arg3)
                }
                CreateDWordField (Arg3, 0x08, CDW3)
                Local0 = (CDW3 & 0x0000003C) // pme, aer, capability, ltr
                If (Local0 != CDW3)
                {
                    CDW1 |= 0x10 // something asked for is not granted
                }
                CDW3 = Local0
                Return (Arg3)
            }
            Method (_DSM, 4, NotSerialized)
            {
                If (Arg0 == ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d"))
                {
                    If (Arg2 == 0)
                    {
                        Return (Buffer () { 0x21 }) // functions 0 and 5
                    }
                    If (Arg2 == 5)
                    {
                        Return (1) // free to change what firmware set up
                    }
                }
                Return (Buffer () { 0x00 })
            }
        }
    }
}
