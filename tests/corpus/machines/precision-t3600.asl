// Dell Precision T3600: what the tests need to know of its firmware, in words of our own.
// The second bridge has buses 0x20-0xff, its _BBN says 0x80, and MCFG ends at bus 0x3f. A window of the first one
// holds ECAM, and no motherboard resource reserves that. Both bridges list VGA's windows, which is no overlap.
DefinitionBlock ("", "DSDT", 2, "ROOTPL", "T3600", 1)
{
    Device (\_SB.PCI0)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, Zero)
        Name (_BBN, Zero)
        Method (_STA, 0) { Return (0x0F) }
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x0000, 0x001F, 0, 0x0020)
            IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x03AF, 0x0000, 0x03B0)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x03E0, 0x0CF7, 0x0000, 0x0918)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x03B0, 0x03DF, 0x0000, 0x0030)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0D00, 0xFFFF, 0x0000, 0xF300)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000C0000, 0x000DFFFF, 0x00000000, 0x00020000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x30000000, 0xFBFFFFFF, 0x00000000, 0xCC000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
        })
        Method (_OSC, 4, Serialized)
        {
            CreateDWordField (Arg3, 8, CTRL)
            CTRL &= 0x07
            Return (Arg3)
        }

        Device (IOH)
        {
            Name (_HID, EisaId ("PNP0C01"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadOnly, 0xFC000000, 0x1000000)
                Memory32Fixed (ReadOnly, 0xFD000000, 0x1000000)
                Memory32Fixed (ReadOnly, 0xFE000000, 0xB00000)
                Memory32Fixed (ReadOnly, 0xFEB00000, 0x100000)
                Memory32Fixed (ReadOnly, 0xFED00400, 0x3FC00)
                Memory32Fixed (ReadOnly, 0xFED45000, 0xBB000)
            })
        }
    }

    Device (\_SB.PCI1)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, 0x80)
        Name (_BBN, 0x80)
        Method (_STA, 0) { Return (0x0F) }
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x0020, 0x00FF, 0, 0x00E0)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x03B0, 0x03DF, 0x0000, 0x0030)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0xFFFF, 0x0000, 0x0000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x00000000, 0xFFFFFFFF, 0x00000000, 0x00000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
        })
        Method (_OSC, 4, Serialized)
        {
            CreateDWordField (Arg3, 8, CTRL)
            CTRL &= 0x07
            Return (Arg3)
        }
    }
}
