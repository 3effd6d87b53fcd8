/* Bases are those of bus 0: segment 1 starts at bus 20h, so its base is 32 MiB below its window. */
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

[0008]                       Base Address : 0000000090000000
[0002]               Segment Group Number : 0000
[0001]                   Start Bus Number : 00
[0001]                     End Bus Number : 0F
[0004]                           Reserved : 00000000

[0008]                       Base Address : 000000008F000000
[0002]               Segment Group Number : 0001
[0001]                   Start Bus Number : 20
[0001]                     End Bus Number : 2F
[0004]                           Reserved : 00000000
