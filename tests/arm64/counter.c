/* A plugin of QEMU that counts the instructions that a program executes, and prints the totals when it ends.
 *
 * Three kinds, told apart by bits 28 to 25 of the instruction (Arm Architecture Reference Manual, "A64 instruction set
 * encoding"): x111 computes with vectors or floating-point numbers, x1x0 loads or stores. A block counts as a whole each
 * time it is entered. The functions of QEMU are declared here, because Debian ships no header of them, and nothing else
 * is used, not even the C library: the plugin is loaded in a root that may have another one than the compiler's.
 */
#include <stddef.h>
#include <stdint.h>

enum { ADD_U64 = 0, DRAINED_NO_REGISTERS = 0, VERSION = 1 };
enum { VECTOR, MEMORY, OTHER, KINDS };

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *total, uint64_t value);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*ended)(plugin_id, void *), void *data);
void qemu_plugin_outs(const char *text);

#define SHOWN __attribute__((visibility("default")))
SHOWN int qemu_plugin_version = VERSION;

static uint64_t totals[KINDS];

static int kind_of(uint32_t instruction) {
    uint32_t group = instruction >> 25 & 0xf;
    if ((group & 0x7) == 0x7) return VECTOR;
    if ((group & 0x5) == 0x4) return MEMORY;
    return OTHER;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block) {
    uint64_t counts[KINDS] = {0};
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        const uint8_t *bytes = qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)); /* little-endian */
        counts[kind_of(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24)]++;
    }
    for (int kind = 0; kind < KINDS; kind++)
        if (counts[kind]) qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &totals[kind], counts[kind]);
}

static char *write_number(char *end, uint64_t number) {
    do *--end = '0' + number % 10;
    while (number /= 10);
    return end;
}

static void on_exit(plugin_id id, void *data) {
    char text[80], *at = text + sizeof text;
    *--at = '\0';
    *--at = '\n';
    for (int kind = KINDS - 1; kind >= 0; kind--) {
        at = write_number(at, totals[kind]);
        *--at = ' ';
    }
    qemu_plugin_outs("instructions (vector, memory, other):");
    qemu_plugin_outs(at);
}

SHOWN int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, NULL);
    return 0;
}
