/* QEMU's own segment 0, and the two in RAM; bases are those of bus 0. */
[0004]                          Signature : "MCFG"
[0004]                       Table Length : 00000000
[0001]                           Revision : 01
[0001]                           Checksum : 00
[0006]                             Oem ID : "BOCHS "
[0008]                       Oem Table ID : "BXPC    "
[0004]                       Oem Revision : 00000002
[0004]                    Asl Compiler ID : "INTL"
[0004]              Asl Compiler Revision : 00000000
[0008]                           Reserved : 0000000000000000

[0008]                       Base Address : 00000000B0000000
[0002]               Segment Group Number : 0000
[0001]                   Start Bus Number : 00
[0001]                     End Bus Number : FF
[0004]                           Reserved : 00000000

[0008]                       Base Address : 0000000050000000
[0002]               Segment Group Number : 0001
[0001]                   Start Bus Number : 00
[0001]                     End Bus Number : 0F
[0004]                           Reserved : 00000000

[0008]                       Base Address : 000000004F000000
[0002]               Segment Group Number : 0002
[0001]                   Start Bus Number : 20
[0001]                     End Bus Number : 2F
[0004]                           Reserved : 00000000
