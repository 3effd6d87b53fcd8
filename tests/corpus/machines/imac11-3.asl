// Apple iMac11,3: what the tests need to know of its firmware, in words of our own.
// A host bridge on bus 0xff, and one with buses 0x00-0xfe; MCFG covers 0-6. The window below 4 GiB starts where RAM
// ends, of which a dump has nothing: that ECAM lies in it cannot be said.
DefinitionBlock ("", "DSDT", 2, "ROOTPL", "IMAC113", 1)
{
    OperationRegion (NVS, SystemMemory, 0xBF6E6000, 0x10)
    Field (NVS, DWordAcc, NoLock, Preserve) { PBAR, 32, TLUD, 32, PAM0, 8, TPMP, 8 }

    Device (\_SB.PCI0)
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
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0x00000000, 0xFEAFFFFF, 0x00000000, 0xFEB00000, , , LOWM)
            DWordMemory (ResourceProducer, , MinFixed, MaxFixed, , , 0, 0xFED40000, 0xFED44FFF, 0x00000000, 0x00000000, , , TPMM)
        })
        Method (_CRS, 0, Serialized)
        {
            CreateDWordField (CRES, \_SB.PCI0.ROM0._LEN, ROML)
            CreateDWordField (CRES, \_SB.PCI0.LOWM._MIN, LMIN)
            CreateDWordField (CRES, \_SB.PCI0.LOWM._MAX, LMAX)
            CreateDWordField (CRES, \_SB.PCI0.LOWM._LEN, LLEN)
            CreateDWordField (CRES, \_SB.PCI0.TPMM._LEN, TLEN)
            If (PAM0) { ROML = Zero }
            LMIN = TLUD
            LLEN = LMAX - LMIN + One
            If (TPMP) { TLEN = 0x5000 }
            Return (CRES)
        }

        Device (PDRC)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, One)
            Name (CRES, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0, 0x10000000, PCIX)
                Memory32Fixed (ReadOnly, 0xFED20000, 0x20000)
                Memory32Fixed (ReadOnly, 0xFEB00000, 0x4000)
                Memory32Fixed (ReadOnly, 0xFED45000, 0x4B000)
                Memory32Fixed (ReadOnly, 0xFF000000, 0x1000000)
                Memory32Fixed (ReadOnly, 0xFEE00000, 0x100000)
            })
            Method (_CRS, 0, Serialized)
            {
                CreateDWordField (CRES, \_SB.PCI0.PDRC.PCIX._BAS, BAS1)
                BAS1 = PBAR
                Return (CRES)
            }
        }
    }

    Device (\_SB.CPBG)
    {
        Name (_HID, EisaId ("PNP0A03"))
        Name (_UID, 0xFF)
        Name (_BBN, 0xFF)
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, , , , 0, 0x00FF, 0x00FF, 0, 0x0001)
        })
    }
}
