// HP ProLiant DL165 G7: what the tests need to know of its firmware, in words of our own.
// Sound. A motherboard resource reserves all of ECAM; the windows above RAM have a length once the firmware has
// told where RAM ends, which no dump holds.
DefinitionBlock ("", "DSDT", 2, "ROOTPL", "DL165G7", 1)
{
    OperationRegion (NVS, SystemMemory, 0xC7F9E000, 0x10)
    Field (NVS, DWordAcc, NoLock, Preserve) { TOM1, 32, LEN2, 32 }

    Device (\_SB.PCI0)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, Zero)
        Name (_BBN, Zero)
        Name (CRES, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x0000, 0x00FF, 0, 0x0100)
            IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0D00, 0xFFFF, 0x0000, 0xF300)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000C0000, 0x000DFFFF, 0x00000000, 0x00020000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x00000000, 0xFFFFFFFF, 0x00000000, 0x00000000, , , LOWM)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x00000000, 0xFFFFFFFF, 0x00000000, 0x00000000, , , HIGH)
        })
        Method (_CRS, 0, Serialized)
        {
            CreateDWordField (CRES, \_SB.PCI0.LOWM._MIN, MIN1)
            CreateDWordField (CRES, \_SB.PCI0.LOWM._LEN, LEN1)
            CreateDWordField (CRES, \_SB.PCI0.HIGH._LEN, LENH)
            If (TOM1)
            {
                MIN1 = TOM1
                LEN1 = 0xE0000000 - TOM1
            }
            LENH = LEN2
            Return (CRES)
        }

        Device (PCIE)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 0x11)
            Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadOnly, 0xE0000000, 0x10000000) })
        }
    }
}
