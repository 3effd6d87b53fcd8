/* A PVH Dom0 without an operating system, for x86 with SVM: plays a script of hypercalls and configuration accesses to
 * the Xen below it and says what came back, through console_io. The script is its module.
 *
 * script, one step a line, all numbers in hex:
 *   P cmd bytes          physdev_op; bytes: the structure in hex; "-": a null pointer
 *   D cmd dom bytes      domctl; bytes: its union; eight ff: the address of an array of 256 u32
 *   V domctl sysctl      interface versions
 *   Q                    sysctl debug_keys 'Q': Xen prints its devices
 *   W addr value size    a store
 *   L addr size          a load
 *   X addr len           @X lines: what 64-byte pieces that are not all zeros hold
 *   # text               printed
 * answers: "@@ line result [dom union array]".
 *
 * gcc -O1 -ffreestanding -fno-builtin -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib -static -fno-pie
 *     -no-pie -mno-red-zone -mgeneral-regs-only -fcf-protection=none -Wl,--build-id=none -Wl,-T,pvh.ld -o bare.pvh pvh.c */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define CONSOLE_IO 18
#define PHYSDEV 33
#define SYSCTL 35
#define DOMCTL 36

static u8 buf[4096] __attribute__((aligned(4096)));
static u32 array[1024] __attribute__((aligned(4096)));
static char out[4096] __attribute__((aligned(4096)));
static char *o;
static u32 domctl_version, sysctl_version;

/* Xen enters at _start, in 32-bit mode without paging, with hvm_start_info in ebx (public/arch-x86/hvm/start_info.h);
 * 4 GiB are mapped to themselves. */
#define NOTE(type, data) ".balign 4\n.long 4, 2f - 1f, " #type "\n.asciz \"Xen\"\n1: " data "\n2:\n.balign 4\n"
asm(".section .note.Xen,\"a\",@note\n"
    NOTE(6, ".asciz \"rootplex-probe\"") NOTE(8, ".asciz \"generic\"") NOTE(5, ".asciz \"xen-3.0\"")
    NOTE(18, ".long _start")
    ".previous\n"
    ".text\n.code32\n.global _start\n_start: cld\n"
    " mov %ebx, %edi\n"
    " mov $pd, %eax\n mov $0x83, %ecx\n xor %edx, %edx\n"
    "1: mov %ecx, (%eax,%edx,8)\n movl $0, 4(%eax,%edx,8)\n add $0x200000, %ecx\n inc %edx\n cmp $2048, %edx\n jne 1b\n"
    " mov $pd + 3, %eax\n mov %eax, pdpt\n add $0x1000, %eax\n mov %eax, pdpt + 8\n add $0x1000, %eax\n mov %eax, pdpt + 16\n add $0x1000, %eax\n mov %eax, pdpt + 24\n"
    " mov $pdpt + 3, %eax\n mov %eax, pml4\n"
    " mov $pml4, %eax\n mov %eax, %cr3\n mov %cr4, %eax\n or $0x20, %eax\n mov %eax, %cr4\n"
    " mov $0xc0000080, %ecx\n rdmsr\n or $0x100, %eax\n wrmsr\n mov %cr0, %eax\n or $0x80000001, %eax\n mov %eax, %cr0\n"
    " lgdt gdtr\n ljmp $8, $1f\n.code64\n1: mov $16, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
    " lea stack_top(%rip), %rsp\n mov %edi, %edi\n call start\n1: jmp 1b\n"
    ".balign 8\ngdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff\ngdtr: .word 23\n.long gdt\n"
    ".bss\n.balign 4096\npml4: .skip 4096\npdpt: .skip 4096\npd: .skip 16384\n.skip 16384\nstack_top:\n.previous\n");
static long hyper(u64 op, u64 a, u64 b, u64 c)
{
    long r;
    asm volatile("vmmcall" : "=a"(r), "+D"(a), "+S"(b), "+d"(c) : "0"(op) : "memory", "rcx", "r8", "r9", "r10", "r11");
    return r;
}
static void outl(u32 v, unsigned short p) { asm volatile("outl %0,%1" :: "a"(v), "Nd"(p)); }
/* Above 16 MiB memory, below rid << 8 | register by the ports. */
static u64 load(u64 at, u32 size)
{
    u32 v = 0;
    if (at >> 24)
        return size == 1 ? *(volatile u8 *)at : size == 2 ? *(volatile unsigned short *)at :
               size == 4 ? *(volatile u32 *)at : *(volatile u64 *)at;
    unsigned short p = 0xcfc + (at & 3);
    outl(0x80000000u | (at & 0xfffffc), 0xcf8);
    if (size == 1) { u8 b; asm volatile("inb %1,%0" : "=a"(b) : "Nd"(p)); v = b; }
    else if (size == 2) { unsigned short w; asm volatile("inw %1,%0" : "=a"(w) : "Nd"(p)); v = w; }
    else asm volatile("inl %1,%0" : "=a"(v) : "Nd"(p));
    return v;
}
static void store(u64 at, u64 v, u32 size)
{
    if (at >> 24) {
        if (size == 1) *(volatile u8 *)at = v;
        else if (size == 2) *(volatile unsigned short *)at = v;
        else if (size == 4) *(volatile u32 *)at = v;
        else *(volatile u64 *)at = v;
        return;
    }
    unsigned short p = 0xcfc + (at & 3);
    outl(0x80000000u | (at & 0xfffffc), 0xcf8);
    if (size == 1) asm volatile("outb %0,%1" :: "a"((u8)v), "Nd"(p));
    else if (size == 2) asm volatile("outw %0,%1" :: "a"((unsigned short)v), "Nd"(p));
    else asm volatile("outl %0,%1" :: "a"((u32)v), "Nd"(p));
}

void *memset(void *d, int c, u64 n) { u8 *p = d; while (n--) *p++ = c; return d; }

static void put(char c) { *o++ = c; }
static void text(const char *s) { while (*s) put(*s++); }
static void hex(u64 v, int digits)
{
    int i = 16;
    while (i > digits && !(v >> 4 * (i - 1))) i--;
    while (i--) put("0123456789abcdef"[v >> 4 * i & 15]);
}
static void dec(long v)
{
    char t[24];
    int n = 0;
    u64 u = v < 0 ? -(u64)v : (u64)v;
    if (v < 0) put('-');
    do t[n++] = '0' + u % 10; while (u /= 10);
    while (n) put(t[--n]);
}
static void say(void) { put('\n'); hyper(CONSOLE_IO, 0, o - out, (u64)out); o = out; }

static const char *p;
static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }
static u64 number(void)
{
    u64 v = 0;
    while (*p == ' ') p++;
    while (digit(*p) >= 0) v = v << 4 | digit(*p++);
    return v;
}
static u32 bytes(u8 *to, u32 max)
{
    u32 n = 0;
    while (*p == ' ') p++;
    while (n < max && digit(p[0]) >= 0 && digit(p[1]) >= 0) { to[n++] = digit(p[0]) << 4 | digit(p[1]); p += 2; }
    return n;
}

static void run(const char *script)
{
    u32 no = 0, cmd, dom, n, i;
    const char *next;
    long r;
    for (p = script; *p; p = next) {
        char kind = *p++;
        for (next = p; *next && *next != '\n'; next++) ;
        if (*next) next++;
        no++;
        memset(buf, 0, sizeof buf);
        switch (kind) {
        case 'V': domctl_version = number(); sysctl_version = number(); continue;
        case '#': text("@#"); while (*p && *p != '\n') put(*p++); say(); continue;
        case 'Q':
            text("@Q "); dec(no); say();
            *(u32 *)buf = 7; *(u32 *)(buf + 4) = sysctl_version;
            array[0] = 'Q';
            *(u64 *)(buf + 8) = (u64)array; *(u32 *)(buf + 16) = 1;
            r = hyper(SYSCTL, (u64)buf, 0, 0);
            break;
        case 'P':
            cmd = number();
            while (*p == ' ') p++;
            r = *p == '-' ? hyper(PHYSDEV, cmd, 0, 0) : (bytes(buf, 4096), hyper(PHYSDEV, cmd, (u64)buf, 0));
            break;
        case 'D':
            cmd = number(); dom = number();
            *(u32 *)buf = cmd; *(u32 *)(buf + 4) = domctl_version; *(unsigned short *)(buf + 8) = dom;
            n = bytes(buf + 16, 128);
            memset(array, 0, sizeof array);
            for (i = 16; i + 8 <= 16 + n; i += 8)
                if (*(u64 *)(buf + i) == ~0ul) *(u64 *)(buf + i) = (u64)array;
            do r = hyper(DOMCTL, (u64)buf, 0, 0); while (r == -85);
            break;
        case 'L': { u64 a = number(); r = load(a, number()); break; }
        case 'W': { u64 a = number(), v = number(); store(a, v, number()); r = 0; break; }
        case 'X': {
            u64 a = number(), len = number(), at;
            u32 w[16], any;
            for (at = 0; at < len; at += 64) {
                for (any = i = 0; i < 16; i++) any |= w[i] = load(a + at + 4 * i, 4);
                if (!at && w[0] == ~0u) break;
                if (!any) continue;
                text("@X "); hex(a, 1); put(' '); hex(at, 1); put(' ');
                for (i = 0; i < 64; i++) hex(w[i / 4] >> 8 * (i & 3) & 255, 2);
                say();
            }
            continue;
        }
        default: continue;
        }
        text("@@ "); dec(no); put(' '); dec(r);
        if (kind == 'D') {
            put(' '); hex(*(unsigned short *)(buf + 8), 1);
            if (cmd == 50 && !r) {
                put(' ');
                for (i = 0; i < *(u32 *)(buf + 24) && i < 300; i++) { hex(array[i], 1); put(','); }
            }
        }
        say();
    }
}

void start(u8 *info)
{
    u32 shutdown[2] = { 0, 0 };
    o = out;
    text("@@ START"); say();
    /* the first module's address, first in the list at modlist_paddr */
    run((const char *)**(u64 **)(info + 16));
    text("@@ END"); say();
    for (;;) hyper(29, 2, (u64)shutdown, 0); /* sched_op shutdown, poweroff */
}
