// Two host bridges beside QEMU's own, on segments of their own: on segment 0 an x86 kernel reads the first 256 bytes
// through ports CF8h and CFCh, which lead to QEMU's devices and never to RAM.
DefinitionBlock ("", "SSDT", 2, "RTPLEX", "RAMTOPO ", 1)
{
    Device (\_SB.RES9)
    {
        Name (_HID, "PNP0C02")
        Name (_UID, 9)
        Name (_CRS, ResourceTemplate ()
        {
            QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0x0000000050000000, 0x0000000051FFFFFF, 0, 0x0000000002000000)
        })
    }

    Device (\_SB.PCI1)
    {
        Name (_HID, "PNP0A08")
        Name (_CID, "PNP0A03")
        Name (_SEG, 1)
        Name (_BBN, 0)
        Name (_UID, 1)
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0x0000, 0x000F, 0, 0x0010)
            DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0x60000000, 0x67FFFFFF, 0, 0x08000000)
        })
    }

    Device (\_SB.PCI2)
    {
        Name (_HID, "PNP0A08")
        Name (_CID, "PNP0A03")
        Name (_SEG, 2)
        Name (_BBN, 0x20)
        Name (_UID, 2)
        Name (_CRS, ResourceTemplate ()
        {
            WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0x0020, 0x002F, 0, 0x0010)
            DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                0, 0x68000000, 0x6FFFFFFF, 0, 0x08000000)
        })
    }
}
