"""The rules for the HLS sources: each catches its example, and passes the one without the fault."""

import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "hw", "scripts"))

import lint  # noqa: E402, isort: skip  (hw/scripts)
import sources  # noqa: E402, isort: skip

HEADER = "#define CIRCNN_LATENCY_SPECTRA (4)\n#define CIRCNN_STEP_BITS (7)\n"
PRELUDE = """
typedef int16_t Word;
constexpr int kBeat = 8;
constexpr int kThree = 3;
struct Job { int32_t rows, step; uint16_t narrow; Word w[kBeat]; };
struct Plain { int32_t a; bool b; };
typedef Word ActivationBank[64];
enum Order { kFirst, kSecond, kTenth = 10, kLast };
constexpr int kTwo = kSecond + 1, kSix = kTwo * kThree, kMost = kTwo > kSix ? kTwo : kSix;
"""


def loop(body, before="", after=""):
    """A function with a pipelined loop; `before` and `after` stand outside of it."""
    return f"""{PRELUDE}{after}
inline void unit(const Job &job, int32_t n, int32_t at, Word x, Word y) {{
    {before}
unit:
    for (int32_t trip = 0; trip < 1000; trip++) {{
#pragma HLS PIPELINE II = 1
        {body}
    }}
}}
"""


def region(processes, parameters="const Job &job, int32_t n", before="", call=""):
    return f"""{PRELUDE}
typedef Stream<Word, 16> WordStream;
inline void reads(const Job &job, const ActivationBank *memory, WordStream &out) {{ out.write(1); }}
inline void counts(int32_t n, const Plain &plain, WordStream &in) {{ in.read(); }}
inline void writes(WordStream &in, ActivationBank *memory) {{ in.read(); }}
inline void both(Plain &plain, int32_t n) {{ plain.a = n; }}
inline void tells(const Plain &plain, WordStream &out) {{ out.write(plain.a); }}
inline void region({parameters}) {{
#pragma HLS DATAFLOW
    {before}
    {processes}
}}
inline void caller(Job &job, ActivationBank *memory, Plain &plain, int32_t n) {{ {call} }}
"""


DIVIDES = "inline int32_t half(int32_t a, int32_t b) { return a / b; }"
THIRD = "int third(int a) { return a / 3; }"
MULTIPLIES = "inline int32_t area(int32_t a, int32_t b) { return a * b; }"
STORES = """
inline void store(Word *memory, int32_t at, Word x) {
    CIRCNN_WRITES(memory, at, kRam);
    memory[at] = x;
}
"""
STREAM = 'WordStream words("words");'
EXAMPLES = {  # rule: sources with the fault, sources without it
    "division": (
        [
            loop("at = n / job.step;"),
            loop("at = n % kThree;"),
            loop("at %= n;"),
            loop("at = half(n, job.rows);", after=DIVIDES),
            loop("at = n / (kBeat - 1);"),
            loop("at = third(n);", after=f"constexpr {THIRD}"),
        ],
        [
            loop("at = n / kBeat;", before="at = n / job.step;"),
            loop("at = n % (1 << CIRCNN_STEP_BITS);"),
            loop("at = half(n, kBeat / 2);", after=DIVIDES),
            loop("for (int i = 0; i < kBeat; i++) at += i % kThree;"),
            loop("at = n; // job.rows / job.step"),
            loop("for (int i = 0; i < 3; i++) at = third(i);", after=f"constexpr {THIRD}"),
        ],
    ),
    "wide-product": (
        [
            loop("at = n * job.step;"),
            loop("at = static_cast<int64_t>(n) * job.step;"),
            loop("at = area(n, job.rows);", after=MULTIPLIES),
            loop("at *= n;"),
            loop("const int32_t s = n + at; at = (s + 1) * (s - 1);"),
        ],
        [
            loop("at = x * y;", before="at = n * job.step;"),
            loop("at = n * kBeat;"),
            loop("at = n * x;"),
            loop("at = static_cast<Word>(n) * static_cast<uint16_t>(at);"),
            loop("const int32_t a = x, b = y; at = (a + b) * (a - b);"),
            loop("at = job.narrow * static_cast<int64_t>(x);"),
            loop("const Word *p = &x; at = *p;"),
            loop("at = area(x, y) + area(n, 4);", after="inline int32_t area(Word a, int32_t b) "
                 "{ return a * static_cast<Word>(b); }"),
        ],
    ),
    "memory-copy": (
        [loop("memcpy(&at, &n, 4);"), loop("", before="std::memset(&at, 0, 4);")],
        [loop("at = n;"), loop("at = n; /* memcpy(a, b, 4) */")],
    ),
    "cleared-array": (
        [
            loop("", before="Word row[kBeat] = {};"),
            loop("Job other = {};"),
            loop("", before="Job other; other = Job{};"),
        ],
        [
            loop("", before="Plain plain = {}; Word row[2] = {1, 2}, few[4] = {};"),
            loop("", after="constexpr Job made() { Job job = {}; return job; }"),
            loop("Job other; for (int i = 0; i < kBeat; i++) other.w[i] = 0;"),
        ],
    ),
    "dependence": (
        [
            loop("\n#pragma HLS DEPENDENCE variable = x inter false\n"),
            loop("\n#pragma HLS DEPENDENCE variable = x inter true\n"),
            loop("\n#pragma HLS DEPENDENCE variable = x inter true distance = 5\n"),
        ],
        [
            loop("\n#pragma HLS DEPENDENCE variable = x inter true distance = "
                 "CIRCNN_LATENCY_SPECTRA\n"),
            loop("\n#pragma HLS DEPENDENCE variable = x inter RAW true distance = 4\n"),
            loop("\n#pragma HLS DEPENDENCE variable = x inter RAW true distance = 9\n",
                 after='constexpr Ram kRam = {"x", 64, 1, 1, kBeat + 1};'),
        ],
    ),
    "dataflow": (
        [
            region("reads(job, a, words); counts(n, job, words);",
                   "const Job &job, int32_t n, const ActivationBank *a", STREAM),
            region("both(plain, n); both(plain, n);", "Plain &plain, int32_t n"),
            region("tells(plain, words); both(plain, n); writes(words, a);",
                   "Plain &plain, int32_t n, ActivationBank *a", STREAM),
            region("writes(words, a); reads(job, a, words);", "const Job &job, ActivationBank *a",
                   STREAM),
            region("tells(plain, words);", "const Plain &plain", STREAM),
            region("reads(job, a, words); writes(words, b);",
                   "const Job &job, ActivationBank *b, const ActivationBank *a", STREAM,
                   "region(job, memory, memory);"),
            region("both(a, n); both(b, n);", "Plain &a, Plain &b, int32_t n", "",
                   "region(plain, plain, n);"),
        ],
        [
            region("reads(job, a, words); writes(words, a);", "const Job &job, ActivationBank *a",
                   STREAM),
            region("reads(job, a, words); writes(words, b);",
                   "const Job &job, const ActivationBank *a, ActivationBank *b", STREAM,
                   "region(job, memory, memory);"),
            region("both(a, n); both(b, n);", "Plain &a, Plain &b, int32_t n"),
            region("tells(a, words); counts(n, b, words);", "const Plain a, const Plain b, int32_t n",  # noqa: E501
                   STREAM, "region(plain, plain, n);"),
        ],
    ),
    "write-sites": (
        [
            loop("if (n) store(m, n, x); else store(m, at, y);", "Word m[64];", STORES),
            loop("CIRCNN_WRITES(m, n, kRam); m[n] = x; store(m, at, y);", "Word m[64];", STORES),
        ],
        [
            loop("store(m, n, x); store(k, n, y);", "Word m[64], k[64];", STORES),
            loop("store(m, n ? at : n, x);", "Word m[64];", STORES),
        ],
    ),
    "synthesis-types": (
        [
            "#ifdef __SYNTHESIS__\ntypedef int Word;\n#else\ntypedef long Word;\n#endif\n",
            "#if !defined(__SYNTHESIS__)\nvoid f(int a)\n#else\nvoid f(long a)\n#endif\n{\n}\n",
            "#if 0\n#elif defined(__SYNTHESIS__)\n#include <ap_int.h>\n#endif\n",
        ],
        [
            "#ifdef __SYNTHESIS__\n#define CHECK(holds)\n#else\n#define CHECK(holds) \\\n"
            "    if (!(holds)) stop()\n#endif\ntypedef int Word;\n",
            "#ifdef CIRCNN_VENDOR\ntypedef int Word;\n#else\n#ifdef __SYNTHESIS__\n#error no\n"
            "#endif\ntypedef long Word;\n#endif\n",
        ],
    ),
    "unrolled-loop": (
        [
            loop("for (int bit = 1; bit < kBeat; bit *= 2) at += bit;"),
            loop("for (int i = 0; i < n; i++) at += i;"),
            loop("while (at < 3) at++;"),
        ],
        [
            loop("for (int i = 0; i < kBeat; i += 2) at += i;", before="while (at < 3) at++;"),
            loop("for (int i = 0; i < 4; i++) for (int j = i; j < 4; j++) at += j;"),
            loop("for (int level = 0; 1 << level < kBeat; level++) at += 1 << level;"),
        ],
    ),
    "stated-interval": (
        [loop("at = n;").replace(" II = 1", "")],
        [loop("at = n;")],
    ),
}  # fmt: skip


def cases(faulty):
    return [
        pytest.param(rule, text, id=f"{rule}-{i}")
        for rule, both in EXAMPLES.items()
        for i, text in enumerate(both[0 if faulty else 1])
    ]


@pytest.mark.parametrize("rule, text", cases(faulty=True))
def test_a_rule_catches_its_example(rule, text):
    found = lint.faults(lint.read(text, headers=[HEADER]))
    assert [fault.rule for fault in found if fault.rule == rule], "no fault found"
    assert {fault.rule for fault in found} == {rule}
    assert all(fault.place.startswith("sample.hpp:") for fault in found)


@pytest.mark.parametrize("rule, text", cases(faulty=False))
def test_a_rule_passes_what_has_no_fault(rule, text):
    assert not lint.faults(lint.read(text, headers=[HEADER]))


def test_constants_are_those_of_cpp():
    code = lint.read(PRELUDE, headers=[HEADER])
    names = ("kBeat", "kLast", "kTwo", "kSix", "kMost", "CIRCNN_STEP_BITS", "1 << kTwo", "-7 + 2u")
    assert [code.value(name) for name in names] == [8, 11, 2, 6, 6, 7, 4, -5]
    assert code.value("n") is None and code.value("kBeat / n") is None


def test_every_rule_has_examples_and_says_what_it_asks():
    assert set(EXAMPLES) == set(lint.RULES)
    assert all(function.__doc__ for function in lint.RULES.values())


def test_the_fault_is_found_in_the_function_that_the_loop_calls():
    text = loop("at = half(n, job.rows);", after=DIVIDES)
    (fault,) = lint.faults(lint.read(text))
    line = text.split("\n")[int(fault.place.split(":")[1]) - 1]
    assert "return a / b;" in line


@pytest.mark.parametrize(
    "text, bits",
    [
        ("x", 16), ("job.rows", 32), ("job.w[n]", 16), ("x + y", 17), ("x * y", 32), ("-x", 16),
        ("x >> 3", 13), ("n & 127", 8), ("x < y", 1), ("n > 0 ? x : y", 16), ("n < 3 ? n : x", 32),
        ("static_cast<Word>(n)", 16), ("static_cast<int64_t>(x)", 16), ("(x - y) * x", 33),
        ("x << 2", 18), ("7", 4), ("kBeat * 2", 6), ("least(x, 5)", 16), ("a", 17), ("other", 64),
    ],
)  # fmt: skip
def test_widths_are_those_of_the_types(text, bits):
    code = lint.read(loop("", before="const int32_t a = x - y; int64_t other = a;"))
    (part,) = lint.parts(code, code.loops()[0])
    assert lint.Widths(code, part).of(text) == bits


def test_loops_and_functions_of_the_sources_are_all_read():
    """Nothing is left out: as many loops as pragmas, and every function that g++ would see."""
    code = sources.engine_sources()
    pragmas = sum(file.raw.count("#pragma HLS PIPELINE") for file in code.files)
    assert len(code.loops()) == pragmas > 0
    bodies = sum(
        1 for file in code.files for line in file.raw.split("\n") if line.startswith("inline ")
    )
    assert sum(map(len, code.functions.values())) >= bodies


def test_the_sources_keep_the_rules():
    script = os.path.join(ROOT, "hw", "scripts", "lint.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
