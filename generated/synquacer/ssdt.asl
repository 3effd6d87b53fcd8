/*
 * The PCI host bridges of synquacer, compiled by Rootplex from its description.
 */
DefinitionBlock ("", "SSDT", 2, "RTPLEX", "ROOTPLEX", 0x00000001)
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
                    0x0000000060000000,
                    0x0000000067EFFFFF,
                    0x0000000000000000,
                    0x0000000007F00000
                ) // pcie0
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000000070000000,
                    0x0000000077EFFFFF,
                    0x0000000000000000,
                    0x0000000007F00000
                ) // pcie1
            })
        }

        Device (PC00) // pcie0
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
                    0x007E, // maximum
                    0x0000, // translation to the CPU
                    0x007F // length
                )
                DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x00000000, // granularity
                    0x00000000, // minimum, on the bus
                    0x0000FFFF, // maximum
                    0x67F00000, // translation to the CPU
                    0x00010000, // length
                    , , , TypeTranslation, DenseTranslation
                )
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, // granularity
                    0x68000000, // minimum, on the bus
                    0x6FFFFFFF, // maximum
                    0x00000000, // translation to the CPU
                    0x08000000 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000003E00000000, // minimum, on the bus
                    0x0000003EFFFFFFFF, // maximum
                    0x0000000000000000, // translation to the CPU
                    0x0000000100000000 // length
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
        Device (PC01) // pcie1
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0001)
            Name (_BBN, 0x00)
            Name (_UID, 0x1)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0000, // minimum, on the bus
                    0x007E, // maximum
                    0x0000, // translation to the CPU
                    0x007F // length
                )
                DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x00000000, // granularity
                    0x00000000, // minimum, on the bus
                    0x0000FFFF, // maximum
                    0x77F00000, // translation to the CPU
                    0x00010000, // length
                    , , , TypeTranslation, DenseTranslation
                )
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, // granularity
                    0x78000000, // minimum, on the bus
                    0x7FFFFFFF, // maximum
                    0x00000000, // translation to the CPU
                    0x08000000 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000003F00000000, // minimum, on the bus
                    0x0000003FFFFFFFFF, // maximum
                    0x0000000000000000, // translation to the CPU
                    0x0000000100000000 // length
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
