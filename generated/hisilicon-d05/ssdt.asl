/*
 * The PCI host bridges of hisilicon-d05, compiled by Rootplex from its description.
 */
DefinitionBlock ("", "SSDT", 2, "HISI  ", "HIP07   ", 0x00000000)
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
                    0x00000000AF800000,
                    0x00000000AFFFFFFF,
                    0x0000000000000000,
                    0x0000000000800000
                ) // pcie2
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x00000008A8800000,
                    0x00000008A8FFFFFF,
                    0x0000000000000000,
                    0x0000000000800000
                ) // pcie4
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x00000008B7800000,
                    0x00000008B7FFFFFF,
                    0x0000000000000000,
                    0x0000000000800000
                ) // pcie5
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x00000008AC000000,
                    0x00000008AC7FFFFF,
                    0x0000000000000000,
                    0x0000000000800000
                ) // pcie6
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x00000008B9000000,
                    0x00000008B97FFFFF,
                    0x0000000000000000,
                    0x0000000000800000
                ) // pcie7
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000064001000000,
                    0x0000064001FFFFFF,
                    0x0000000000000000,
                    0x0000000001000000
                ) // pcie10
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000074002000000,
                    0x0000074002FFFFFF,
                    0x0000000000000000,
                    0x0000000001000000
                ) // pcie12
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000078003000000,
                    0x0000078003FFFFFF,
                    0x0000000000000000,
                    0x0000000001000000
                ) // pcie13
            })
        }

        Device (PC00) // pcie2
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0002)
            Name (_BBN, 0xF8)
            Name (_UID, 0x0)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x00F8, // minimum, on the bus
                    0x00FF, // maximum
                    0x0000, // translation to the CPU
                    0x0008 // length
                )
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, // granularity
                    0xA8000000, // minimum, on the bus
                    0xAF7EFFFF, // maximum
                    0x00000000, // translation to the CPU
                    0x077F0000 // length
                )
                DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x00000000, // granularity
                    0x00000000, // minimum, on the bus
                    0x0000FFFF, // maximum
                    0xAF7F0000, // translation to the CPU
                    0x00010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC01) // pcie4
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0004)
            Name (_BBN, 0x88)
            Name (_UID, 0x1)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0088, // minimum, on the bus
                    0x008F, // maximum
                    0x0000, // translation to the CPU
                    0x0008 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x00000000A9000000, // minimum, on the bus
                    0x00000000ABFEFFFF, // maximum
                    0x0000000800000000, // translation to the CPU
                    0x0000000002FF0000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x00000008ABFF0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC02) // pcie5
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0005)
            Name (_BBN, 0x78)
            Name (_UID, 0x2)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0078, // minimum, on the bus
                    0x007F, // maximum
                    0x0000, // translation to the CPU
                    0x0008 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x00000000B0000000, // minimum, on the bus
                    0x00000000B77EFFFF, // maximum
                    0x0000000800000000, // translation to the CPU
                    0x00000000077F0000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x00000008B77F0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC03) // pcie6
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0006)
            Name (_BBN, 0xC0)
            Name (_UID, 0x3)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x00C0, // minimum, on the bus
                    0x00C7, // maximum
                    0x0000, // translation to the CPU
                    0x0008 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x00000000AC900000, // minimum, on the bus
                    0x00000000AFFEFFFF, // maximum
                    0x0000000800000000, // translation to the CPU
                    0x00000000036F0000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x00000008AFFF0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC04) // pcie7
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x0007)
            Name (_BBN, 0x90)
            Name (_UID, 0x4)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0090, // minimum, on the bus
                    0x0097, // maximum
                    0x0000, // translation to the CPU
                    0x0008 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x00000000B9800000, // minimum, on the bus
                    0x00000000BFFEFFFF, // maximum
                    0x0000000800000000, // translation to the CPU
                    0x00000000067F0000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x00000008BFFF0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC05) // pcie10
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x000A)
            Name (_BBN, 0x10)
            Name (_UID, 0x5)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0010, // minimum, on the bus
                    0x001F, // maximum
                    0x0000, // translation to the CPU
                    0x0010 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000000040000000, // minimum, on the bus
                    0x00000000EFFFFFFF, // maximum
                    0x0000065000000000, // translation to the CPU
                    0x00000000B0000000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x0000067FFFFF0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC06) // pcie12
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x000C)
            Name (_BBN, 0x20)
            Name (_UID, 0x6)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0020, // minimum, on the bus
                    0x002F, // maximum
                    0x0000, // translation to the CPU
                    0x0010 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000000040000000, // minimum, on the bus
                    0x00000000EFFFFFFF, // maximum
                    0x0000075000000000, // translation to the CPU
                    0x00000000B0000000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x0000077FFFFF0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
        Device (PC07) // pcie13
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0x000D)
            Name (_BBN, 0x30)
            Name (_UID, 0x7)
            Name (_STA, 0x0F)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, // granularity
                    0x0030, // minimum, on the bus
                    0x003F, // maximum
                    0x0000, // translation to the CPU
                    0x0010 // length
                )
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000000040000000, // minimum, on the bus
                    0x00000000EFFFFFFF, // maximum
                    0x0000079000000000, // translation to the CPU
                    0x00000000B0000000 // length
                )
                QWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000000000000000, // granularity
                    0x0000000000000000, // minimum, on the bus
                    0x000000000000FFFF, // maximum
                    0x000007BFFFFF0000, // translation to the CPU
                    0x0000000000010000, // length
                    , , , TypeTranslation, DenseTranslation
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
