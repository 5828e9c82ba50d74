"""The check of intervals: what it finds in loops, and what Bambu says of samples."""

import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "hw", "scripts"))

import intervals  # noqa: E402, isort: skip  (hw/scripts)
import lint  # noqa: E402, isort: skip
import sources  # noqa: E402, isort: skip

BAMBU = shutil.which(os.environ.get("BAMBU") or "bambu")
SCRIPT = os.path.join(ROOT, "hw", "scripts", "intervals.py")

SAMPLE = """
struct RunJob { uint16_t last; int32_t steps[2]; };
struct RunState { uint16_t at; uint32_t address; bool done; };
inline RunState next_run(const RunJob &job, const RunState &s, bool more) { return s; }
inline void store(Word *memory, int32_t row) { CIRCNN_WRITES(memory, row, kRam); memory[row] = 1; }
inline void add(uint32_t &count) { count++; }
inline void unit(const RunJob &job, WordStream &in, Word *memory) {
    RunState s = {0, 0, false};
    uint32_t trips = 0;
unit:
    for (uint32_t trip = 0; trip < 1000; trip++) {
#pragma HLS PIPELINE II = 1
        BODY
    }
}
"""


def faults(body, text=SAMPLE):
    code = lint.read(text.replace("BODY", body))
    (loop,) = code.loops()
    return intervals.faults(code, loop)


@pytest.mark.parametrize(
    "body",
    [
        "const Word w = in.read(); s = next_run(job, s, w > 0); if (s.done) break;",
        "const RunState n = next_run(job, s, true); if (n.done) break; s = n;",
        "store(memory, s.at); s = next_run(job, s, false);",
        "s = next_run(job, s, true); trips++; add(trips);",  # COVERED
        "Word w = 0; w += 2; s = next_run(job, s, w > 1);",
    ],
)
def test_a_loop_with_a_next_function_passes(body):
    assert not faults(body)


@pytest.mark.parametrize(
    "body, fault",
    [
        ("s.at++;", "changes s from trip to trip"),
        ("add(s.address);", "changes s from trip to trip"),
        ("memory[trip] = 1; s = next_run(job, s, true);", "changes memory"),
        ("const RunState n = next_run(job, s, true);", "must step its state"),
        ("s = next_run(job, s, s.at > 3);", "computes s.at > 3 from the state s"),
        ("const bool more = s.done; s = next_run(job, s, more);", "computes more from the state s"),
    ],
)
def test_what_the_schedule_would_not_show_is_a_fault(body, fault):
    (found,) = faults(body)
    assert fault in found and found.startswith("sample.hpp:")


def test_a_next_function_must_return_the_state():
    for wrong in (
        SAMPLE.replace("const RunState &s, bool", "RunState &s, bool"),
        SAMPLE.replace("inline RunState next_run", "inline uint64_t next_run"),
    ):
        with pytest.raises(sources.ReadError, match="next_run must"):
            faults("s = next_run(job, s, true);", wrong)


def test_each_number_of_the_state_has_a_wrapper():
    code = lint.read(SAMPLE.replace("BODY", ""))
    found = intervals.wrappers(code, code.functions["next_run"][0])
    assert list(found) == ["at", "address", "done"]
    assert (
        "uint32_t unit(uint16_t p0_0, int32_t p0_1, int32_t p0_2, uint16_t p1_0" in found["address"]
    )
    assert "p0.steps[1] = " in found["done"] and "next_run(p0, p1, p2).done" in found["done"]


def test_an_interval_too_short_for_its_states_is_wrong():
    code = lint.read(SAMPLE.replace("BODY", "s = next_run(job, s, true);"))
    job = intervals.Job("unit", "next_run: at", "")
    rows, wrong = intervals.rows_of(code, code.loops(), {job: intervals.Schedule(2, 0.5)})
    assert rows[0].states == 2 and "states an interval of 1" in wrong[0]
    assert "| `unit` | 1 | 2 | 0.5 | `next_run` |" in intervals.table(rows)


def test_logs_are_read():
    log = "    Minimum slack: 1.5\n    Number of states: 1\n    Number of states: 3\n"
    assert intervals.read_log(log) == intervals.Schedule(4, 1.5)
    assert intervals.read_log("error -> no\n").error == "error -> no"
    assert intervals.read_log("").error


def test_every_loop_of_the_sources_is_covered():
    code = intervals.recurrences()
    loops = code.loops()
    assert [fault for loop in loops for fault in intervals.faults(code, loop)] == []
    assert intervals.stale(code, loops) == []
    assert set(intervals.CONTROLS) < set(intervals.recurrence_names(code))


def test_without_bambu_the_error_says_how_to_get_it(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path), "BAMBU": ""}
    done = subprocess.run(
        [sys.executable, SCRIPT], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1 and "Get PandA-Bambu 2024.10" in done.stderr


@pytest.mark.skipif(BAMBU is None, reason="PandA-Bambu is not on PATH: make -C hw ii says how")
def test_controls_need_more_than_a_state_and_a_counter_one(tmp_path):
    code = intervals.recurrences()
    head = intervals.prepare(str(tmp_path / "sources"))
    wanted = ("counted", "crc", *intervals.CONTROLS)
    jobs = [
        job
        for job in intervals.all_jobs(code, [])
        if job.owner.replace("recurrence ", "") in wanted
    ]
    found = intervals.schedules(jobs, head, str(tmp_path / "sources"), BAMBU)
    _, wrong = intervals.rows_of(code, [], found)
    assert wrong == []
