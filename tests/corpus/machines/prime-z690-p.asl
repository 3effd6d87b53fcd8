// ASUS PRIME Z690-P: what the tests need to know of its firmware, in words of our own.
// Its two MCFGs, made in the test from fields, contradict each other. What reserves ECAM has its base from a
// register of the chipset.
DefinitionBlock ("", "DSDT", 2, "ROOTPL", "Z690P", 1)
{
    OperationRegion (NVS, SystemMemory, 0x74632000, 0x10)
    Field (NVS, DWordAcc, NoLock, Preserve) { PBAR, 32, TLUD, 32, TUUD, 32, PAM0, 8 }

    Device (\_SB.PC00)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Name (_CID, EisaId ("PNP0A03"))
        Name (_UID, Zero)
        Name (_BBN, Zero)
        Name (CRES, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x0000, 0x00FE, 0, 0x00FF)
            DWordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x00000000, 0x00000CF7, 0x00000000, 0x00000CF8)
            IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
            DWordIO (ResourceProducer, MinFixed, MaxFixed, , EntireRange, 0, 0x00000D00, 0x0000FFFF, 0x00000000, 0x0000F300)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000C0000, 0x000C3FFF, 0x00000000, 0x00004000, , , ROM0)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000C4000, 0x000C7FFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000C8000, 0x000CBFFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000CC000, 0x000CFFFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000D0000, 0x000D3FFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000D4000, 0x000D7FFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000D8000, 0x000DBFFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000DC000, 0x000DFFFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000E0000, 0x000E3FFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000E4000, 0x000E7FFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000E8000, 0x000EBFFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000EC000, 0x000EFFFF, 0x00000000, 0x00004000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x000F0000, 0x000FFFFF, 0x00000000, 0x00010000)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x00000000, 0xFFFFFFFF, 0x00000000, 0x00000000, , , LOWM)
            QWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x0000000000010000, 0x000000000001FFFF, 0x0000000000000000, 0x0000000000000000, , , HIGH)
        })
        Method (_CRS, 0, Serialized)
        {
            CreateDWordField (CRES, \_SB.PC00.ROM0._LEN, ROML)
            CreateDWordField (CRES, \_SB.PC00.LOWM._MIN, LMIN)
            CreateDWordField (CRES, \_SB.PC00.LOWM._LEN, LLEN)
            CreateQWordField (CRES, \_SB.PC00.HIGH._LEN, HLEN)
            If (PAM0) { ROML = Zero }
            If (TLUD)
            {
                LMIN = TLUD
                LLEN = 0xC0000000 - TLUD
            }
            HLEN = TUUD
            Return (CRES)
        }

        Device (PDRC)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, One)
            Name (CRES, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0, 0x10000000, PCIX)
                Memory32Fixed (ReadOnly, 0xFED20000, 0x60000)
                Memory32Fixed (ReadOnly, 0xFED90000, 0x4000)
                Memory32Fixed (ReadOnly, 0xFED45000, 0x4B000)
                Memory32Fixed (ReadOnly, 0xFEE00000, 0x100000)
            })
            Method (_CRS, 0, Serialized)
            {
                CreateDWordField (CRES, \_SB.PC00.PDRC.PCIX._BAS, BAS1)
                BAS1 = PBAR
                Return (CRES)
            }
        }
    }
}
