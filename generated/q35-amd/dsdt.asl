/*
 * What QEMU's q35 machine has beside the host bridges of q35-amd.
 */
DefinitionBlock ("", "DSDT", 2, "BOCHS ", "BXPC    ", 0x00000002)
{
    // The sleep type of "off" for PM1a and PM1b.
    Name (\_S5, Package () { 0x00, 0x00, 0x00, 0x00 })
    Scope (\_SB)
    {
        Device (C000)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 0)
        }
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x00, 0x08)
                IRQNoFlags () { 4 }
            })
        }
        Device (RTC0)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x08)
                IRQNoFlags () { 8 }
            })
        }
        Device (PIT0)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0040, 0x0040, 0x00, 0x04)
                IRQNoFlags () { 0 }
            })
        }
        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadOnly, 0xFED00000, 0x00000400)
            })
        }
        Device (SYSR)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, "SYSR")
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0600, 0x0600, 0x00, 0x80) // power management
                IO (Decode16, 0x0CF8, 0x0CF8, 0x00, 0x08) // configuration space of segment 0
                Memory32Fixed (ReadWrite, 0xFEC00000, 0x00001000) // IO-APIC
                Memory32Fixed (ReadWrite, 0xFED90000, 0x00001000) // VT-d
            })
        }
    }
}
