"""A profile a line in, as a Python literal; the program that libseccomp makes of it out, in
hexadecimal. The rules are handed over as runc does it."""
import ast
import sys
import tempfile

try:
    import seccomp as lib
except ImportError:
    sys.exit(77)

ARCHITECTURES = {"SCMP_ARCH_" + name: getattr(lib.Arch, name)
                 for name in ("X86_64", "X86", "X32", "AARCH64", "ARM")}
OPERATORS = {"SCMP_CMP_" + name: getattr(lib, name)
             for name in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")}
ACTIONS = {"SCMP_ACT_" + name: getattr(lib, name)
           for name in ("ALLOW", "KILL", "KILL_PROCESS", "LOG", "TRAP")}
ACTIONS["SCMP_ACT_KILL_THREAD"] = lib.KILL


def action(word, number):
    if word == "SCMP_ACT_ERRNO":
        return lib.ERRNO(number)
    return lib.TRACE(number) if word == "SCMP_ACT_TRACE" else ACTIONS[word]


def add(rules, what, names, args):
    conditions = [lib.Arg(index, OPERATORS[op], value, *[value_two] * (op == "SCMP_CMP_MASKED_EQ"))
                  for index, op, value, value_two in args]
    for name in names:
        rules.add_rule(what, name, *conditions)


def compiled(default, architectures, all_rules):
    default = action(*default)
    rules = lib.SyscallFilter(default)
    for word in architectures:
        if word in ARCHITECTURES and not rules.exist_arch(ARCHITECTURES[word]):
            rules.add_arch(ARCHITECTURES[word])
    for word, number, names, args in all_rules:
        what = action(word, number)
        indexes = [arg[0] for arg in args]
        if what == default:
            continue
        if len(set(indexes)) < len(indexes):
            for arg in args:
                add(rules, what, names, [arg])
        else:
            add(rules, what, names, args)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read().hex()


for line in sys.stdin:
    print(compiled(*ast.literal_eval(line)))
