/*
 * The PCI host bridges of q35-amd, compiled by Rootplex from its description.
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
                    0x00000000B0000000,
                    0x00000000BFFFFFFF,
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
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, // granularity
                    0x0000, // minimum, on the bus
                    0x0CF7, // maximum
                    0x0000, // translation to the CPU
                    0x0CF8 // length
                )
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, // granularity
                    0x0D00, // minimum, on the bus
                    0xFFFF, // maximum
                    0x0000, // translation to the CPU
                    0xF300 // length
                )
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, // granularity
                    0xC0000000, // minimum, on the bus
                    0xFEBFFFFF, // maximum
                    0x00000000, // translation to the CPU
                    0x3EC00000 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000000800000000, // minimum, on the bus
                    0x0000000FFFFFFFFF, // maximum
                    0x0000000000000000, // translation to the CPU
                    0x0000000800000000 // length
                )
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
