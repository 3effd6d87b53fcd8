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
    Local0 = (CDW3 & %(granted)s) // %(names)s
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
            Return (%(changes)s) // %(policy)s what firmware set up
        }
    }
    Return (Buffer () { 0x00 })
}
