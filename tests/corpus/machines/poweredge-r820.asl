// Dell PowerEdge R820: what the tests need to know of its firmware, in words of our own.
// Six host bridges of one segment, four of one bus each; whether the second is there depends on the processors. ECAM
// is reserved in parts by motherboard resources of three bridges, and perhaps by one whose base is in a register.
DefinitionBlock ("", "DSDT", 2, "ROOTPL", "R820", 1)
{
    OperationRegion (CSR, SystemIO, 0xE0, 0x0C)
    Field (CSR, DWordAcc, NoLock, Preserve) { CPUS, 32, TOLM, 32, VTDB, 32 }

    Device (\_SB.PCI0)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, "PCI0")
        Name (_BBN, Zero)
        Name (_PXM, One)
        Name (CRES, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x0000, 0x003E, 0, 0x003F)
            IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x03AF, 0x0000, 0x03B0)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x03E0, 0x0CF7, 0x0000, 0x0918)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0D00, 0x1FFF, 0x0000, 0x1300)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x2000, 0xFFFF, 0x0000, 0xE000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x00000000, 0x00000000, 0x00000000, 0x00000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000004000000, 0x00000000FBFFFFFF, 0x0000000000000000, 0x00000000F8000000, , , LOWM)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000003C000000000, 0x000003FFFFFFFFFF, 0x0000000000000000, 0x0000004000000000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0xFED40000, 0xFED44FFF, 0x00000000, 0x00005000)
        })
        Method (_CRS, 0, Serialized)
        {
            CreateQWordField (CRES, \_SB.PCI0.LOWM._MIN, LMIN)
            CreateQWordField (CRES, \_SB.PCI0.LOWM._MAX, LMAX)
            CreateQWordField (CRES, \_SB.PCI0.LOWM._LEN, LLEN)
            LMIN = TOLM + 0x04000000
            LLEN = LMAX - LMIN + One
            Return (CRES)
        }

        Device (PEHB)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                DWordMemory (ResourceConsumer, , MinFixed, MaxFixed, , , 0, 0xE0000000, 0xE3EFFFFF, 0, 0x3F00000)
            })
        }
    }

    Device (\_SB.PCI1)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, "PCI1")
        Name (_BBN, 0x40)
        Name (_PXM, 2)
        Method (_STA, 0)
        {
            If (CPUS & 2) { Return (Zero) }
            Return (0x0F)
        }
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x0040, 0x007E, 0, 0x003F)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x03B0, 0x03DF, 0x0000, 0x0030)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            WordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x0000, 0x0000, 0x0000, 0x0000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000038000000000, 0x000003BFFFFFFFFF, 0x0000000000000000, 0x0000004000000000)
        })

        Device (PEHB)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                DWordMemory (ResourceConsumer, , MinFixed, MaxFixed, , , 0, 0xE4000000, 0xE7FFFFFF, 0, 0x4000000)
            })
        }
    }

    Device (\_SB.P0B1)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, "Uncore Bus PCI0")
        Name (_BBN, 0x3F)
        Name (_PXM, 1)
        Name (_CRS, ResourceTemplate () { WordBusNumber (ResourceProducer, , , , 0, 0x003F, 0x003F, 0, 0x0001) })

        Device (PEHB)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, One)
            Name (_CRS, ResourceTemplate ()
            {
                DWordMemory (ResourceConsumer, , MinFixed, MaxFixed, , , 0, 0xE3F00000, 0xE3FFFFFF, 0, 0x100000)
            })
        }

        Device (VTD1)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 2)
            Name (CRES, ResourceTemplate () { Memory32Fixed (ReadWrite, 0, 0x2000, REGS) })
            Method (_CRS, 0, Serialized)
            {
                CreateDWordField (CRES, \_SB.P0B1.VTD1.REGS._BAS, BASE)
                BASE = VTDB
                Return (CRES)
            }
        }
    }

    Device (\_SB.P1B1)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, "PCI2")
        Name (_BBN, 0x7F)
        Name (_PXM, 2)
        Name (_CRS, ResourceTemplate () { WordBusNumber (ResourceProducer, , , , 0, 0x007F, 0x007F, 0, 0x0001) })
    }

    Device (\_SB.P2B1)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, "PCI3")
        Name (_BBN, 0xBF)
        Name (_PXM, 3)
        Name (_CRS, ResourceTemplate () { WordBusNumber (ResourceProducer, , , , 0, 0x00BF, 0x00BF, 0, 0x0001) })
    }

    Device (\_SB.P3B1)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, "PCI4")
        Name (_BBN, 0xFF)
        Name (_PXM, 4)
        Name (_CRS, ResourceTemplate () { WordBusNumber (ResourceProducer, , , , 0, 0x00FF, 0x00FF, 0, 0x0001) })
    }
}
