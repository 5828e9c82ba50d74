"""Opening the overlay: what is found, what is missing, and the messages; the doctor."""

import asyncio
import gc
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from board_tools import EXPECTED, MODEL, X, emulated, run  # noqa: E402

from pynq_circnn import BoardError, CirCNNOverlay  # noqa: E402
from pynq_circnn.board import bitstreams, loaded  # noqa: E402
from pynq_circnn.board.ip import contiguous_free_bytes  # noqa: E402
from pynq_circnn.board.link import CompiledLink  # noqa: E402
from pynq_circnn.board.lock import BoardLock, holder  # noqa: E402
from pynq_circnn.board.power import EnergyMeter  # noqa: E402
from pynq_circnn.commands import doctor  # noqa: E402
from pynq_circnn.contract import IDENTITY, configuration_digest  # noqa: E402
from pynq_circnn.emulated.device import HWH, PLACEHOLDER, EmulatedDevice  # noqa: E402
from pynq_circnn.emulated.fabric import EngineFabric  # noqa: E402


@pytest.fixture
def device():
    device = EmulatedDevice(EngineFabric())
    device.activate()
    yield device
    device.close()


def build(folder, digest=None, fclk=100.0, **changes):
    """Files as ``make -C hw`` writes them for a PYNQ-Z2."""
    folder = folder / "circnn.bit.d"
    folder.mkdir(parents=True)
    (folder / "circnn.Pynq-Z2.bit").write_bytes(PLACEHOLDER)
    shutil.copy(HWH, folder / "circnn.Pynq-Z2.hwh")
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
    }
    manifest = {
        "configuration": "z2",
        "configuration_digest": f"{configuration_digest('z2') if digest is None else digest:08x}",
        "fclk_mhz": fclk,
        "files": files,
        **changes,
    }
    (folder / "circnn.Pynq-Z2.json").write_text(json.dumps(manifest))
    return folder


def refused(*arguments, **options):
    with pytest.raises(BoardError) as raised:
        CirCNNOverlay(*arguments, **options)
    return raised.value


# -- the bitstream ------------------------------------------------------------------------------


def test_no_bitstream_says_where_it_looked_and_what_to_do(device):
    error = refused(device=device)
    assert error.cause == "no_bitstream"
    for text in ("Pynq-Z2", os.path.join("overlays", "circnn.bit.d"), "make -C hw"):
        assert text in str(error)
    error = refused("/nowhere/circnn.bit", device=device)
    assert "/nowhere/circnn.bit" in str(error)


def test_a_bitstream_for_another_board_is_named(device, tmp_path):
    folder = build(tmp_path)
    for path in folder.iterdir():
        path.rename(folder / path.name.replace("Pynq-Z2", "ZCU104"))
    error = refused(str(tmp_path), device=device)
    assert error.cause == "no_bitstream" and "circnn.ZCU104.bit" in str(error)


def test_a_folder_of_a_build_is_found(device, tmp_path, monkeypatch):
    build(tmp_path / "overlays")
    with CirCNNOverlay(str(tmp_path / "overlays"), device=device) as overlay:
        assert overlay.manifest["configuration"] == "z2"
        np.testing.assert_array_equal(overlay.predict(MODEL, X), MODEL.predict(X))
    monkeypatch.chdir(tmp_path)
    with CirCNNOverlay(device=device) as overlay:
        np.testing.assert_array_equal(run(), EXPECTED)


def test_a_missing_handoff(device, tmp_path):
    folder = build(tmp_path)
    (folder / "circnn.Pynq-Z2.hwh").unlink()
    assert refused(str(tmp_path), device=device).cause == "no_handoff"


def test_files_of_different_builds_are_refused(device, tmp_path):
    folder = build(tmp_path)
    with open(folder / "circnn.Pynq-Z2.hwh", "a") as file:
        file.write(" ")
    error = refused(str(tmp_path), device=device)
    assert error.cause == "bad_manifest" and "circnn.Pynq-Z2.hwh" in str(error)
    (folder / "circnn.Pynq-Z2.json").write_text("{}")
    assert refused(str(tmp_path), device=device).cause == "bad_manifest"


def test_a_bitstream_of_another_configuration_is_refused(device, tmp_path):
    build(tmp_path / "a", digest=0x12345678)
    error = refused(str(tmp_path / "a"), device=device)
    assert error.cause == "wrong_configuration" and "12345678" in str(error)
    build(tmp_path / "b", digest=configuration_digest("tiny"))  # known, but not the engine's own
    assert refused(str(tmp_path / "b"), device=device).cause == "wrong_configuration"
    build(tmp_path / "c")
    device.faults.inject("wrong_digest")
    error = refused(str(tmp_path / "c"), device=device)
    assert error.cause == "wrong_configuration" and "0badc0de" in str(error)


def test_a_bitstream_of_an_older_interface_is_refused(tmp_path, monkeypatch):
    """Its sizes are this package's, but its registers are elsewhere."""
    now = IDENTITY["interface_version"]
    monkeypatch.setitem(IDENTITY, "interface_version", 1)
    build(tmp_path)  # a manifest, and below the engine itself, as they were
    device = EmulatedDevice(EngineFabric())
    monkeypatch.setitem(IDENTITY, "interface_version", now)
    device.activate()
    try:
        for bitfile in (str(tmp_path), device.bitfile):  # with a manifest and without
            error = refused(bitfile, device=device)
            assert error.cause == "wrong_configuration"
            assert "z2 of interface version 1" in str(error)
            assert f"interface version {now} (" in str(error) and "make -C hw" in str(error)
    finally:
        device.close()


def test_a_download_that_fails(device):
    device.faults.inject("download")
    error = refused(device.bitfile, device=device)
    assert error.cause == "download" and "Input/output error" in str(error)
    assert refused(device.bitfile, device=device, download=False).cause == "not_loaded"
    with CirCNNOverlay(device.bitfile, device=device):  # neither the lock nor anything else is left
        np.testing.assert_array_equal(run(), EXPECTED)


def test_no_device(monkeypatch):
    monkeypatch.setattr(type(pynq.Device), "_active_device", None, raising=False)
    monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
    monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
    monkeypatch.delattr(type(pynq.Device), "_active_device", raising=False)
    error = refused()
    assert error.cause == "no_device"
    assert "xrt_setup.sh" in str(error) and "root" in str(error)


# -- whether it is loaded -----------------------------------------------------------------------


@pytest.fixture
def other(tmp_path):
    """Another design: the one of the tests of pynqmetadata, with a DMA at another address."""
    import pynqmetadata

    folder = os.path.dirname(pynqmetadata.__file__)
    shutil.copy(os.path.join(folder, "tests", "hwhs", "resizer.hwh"), tmp_path / "resizer.hwh")
    (tmp_path / "resizer.bit").write_bytes(b"another placeholder")
    return str(tmp_path / "resizer.bit")


class Untouched:
    """Fails when a register of the design is touched; those of the chip's clocks may be."""

    def __init__(self, device, monkeypatch):
        for name in ("read", "write_mm"):
            monkeypatch.setattr(pynq.mmio.MMIO, name, self._spied(getattr(pynq.mmio.MMIO, name)))
        for name in ("start", "run", "wait", "poll", "reset", "reset_dma", "registers"):
            monkeypatch.setattr(CompiledLink, name, self._refuse)

    @staticmethod
    def _spied(original):
        def spy(mmio, *arguments):
            assert mmio.base_addr >= 0xF8000000, hex(mmio.base_addr)
            return original(mmio, *arguments)

        return spy

    @staticmethod
    def _refuse(*arguments):
        raise AssertionError("the link was used")


both = pytest.mark.parametrize("mapped", [False, True], ids=["calls", "mapped"])


@both
def test_no_register_is_touched_after_another_download(mapped, other, monkeypatch):
    with emulated(mapped=mapped) as overlay:
        run()
        asynchronous = lambda: asyncio.run(MODEL.predict_async(X, backend="emulated"))  # noqa: E731
        pynq.Overlay(other, device=overlay.device)
        with monkeypatch.context() as patch:
            Untouched(overlay.device, patch)
            for call in (run, asynchronous, overlay.registers, overlay.reset_engine):
                with pytest.raises(BoardError) as raised:
                    call()
                assert raised.value.cause == "not_loaded"
                assert "resizer.bit" in str(raised.value) and "download()" in str(raised.value)
        overlay.download()
        np.testing.assert_array_equal(run(), EXPECTED)
        pynq.Overlay(other, device=overlay.device)
        with monkeypatch.context() as patch:
            Untouched(overlay.device, patch)
            overlay.close()
        assert overlay.device.usage["buffers"] == 0


@both
def test_no_register_is_touched_after_another_download_during_an_await(mapped, other):
    async def main():
        task = asyncio.ensure_future(MODEL.predict_async(X, backend="emulated"))
        while not overlay.driver.turns.held:
            await asyncio.sleep(0)
        pynq.Overlay(other, device=overlay.device)
        with pytest.raises(BoardError) as raised:
            await task
        assert raised.value.cause == "not_loaded"

    with emulated(mapped=mapped) as overlay:
        run()
        overlay.device.faults.inject("stuck_output")  # so that it is not over too soon
        asyncio.run(main())
        overlay.download()
        np.testing.assert_array_equal(run(), EXPECTED)


def test_a_stuck_dma_that_is_not_loaded_any_more_is_not_touched_and_its_buffers_are_kept(
    other, monkeypatch
):
    """By pynq's record, which also changes without a download: the DMA may still exist."""
    with emulated() as overlay:
        overlay.driver.timeout = 0.2
        run()
        overlay.device.faults.inject("stuck_output")
        with pytest.raises(BoardError):
            run()
        pynq.Overlay(other, device=overlay.device)
        with monkeypatch.context() as patch, pytest.warns(RuntimeWarning, match="kept"):
            Untouched(overlay.device, patch)
            overlay.close()
        gc.collect()
        assert overlay.device.usage["buffers"] == 2


def test_the_download_of_another_process_is_noticed():
    """Only the file that pynq writes shows it."""
    with emulated() as overlay:
        run()
        with open(overlay.device.state_file, "w") as file:
            json.dump({"bitfile_name": "/home/xilinx/base.bit", "bitfile_hash": "00"}, file)
        with pytest.raises(BoardError, match=r"base\.bit") as raised:
            run()
        assert raised.value.cause == "not_loaded"
        overlay.download()
        np.testing.assert_array_equal(run(), EXPECTED)
        os.remove(overlay.device.state_file)  # as after a boot
        with pytest.raises(BoardError, match="loaded last"):
            run()


def test_without_a_download_nothing_is_trusted_that_was_not_identified(
    device, other, tmp_path, monkeypatch
):
    build(tmp_path)
    bit = str(tmp_path / "circnn.bit.d" / "circnn.Pynq-Z2.bit")

    def refuse(path):
        with monkeypatch.context() as patch:
            Untouched(device, patch)
            assert refused(path, device=device, download=False).cause == "not_loaded"
            plain = pynq.Overlay(path, device=device, download=False)
            with pytest.raises(BoardError) as raised:
                plain.engine  # noqa: B018
            assert raised.value.cause == "not_loaded"

    refuse(bit)  # nothing was loaded
    pynq.Overlay(other, device=device)
    refuse(bit)
    CirCNNOverlay(bit, device=device).close()
    with CirCNNOverlay(bit, device=device, download=False):
        np.testing.assert_array_equal(run(), EXPECTED)
    assert pynq.Overlay(bit, device=device, download=False).engine.driver.configuration == "z2"
    with open(bit, "ab") as file:  # the name is the same
        file.write(b"another build")
    (tmp_path / "circnn.bit.d" / "circnn.Pynq-Z2.json").unlink()
    refuse(bit)


def test_without_a_download_the_clock_is_checked(device):
    CirCNNOverlay(device.bitfile, device=device).close()
    error = refused(device.bitfile, device=device, download=False, fclk_mhz=125)
    assert error.cause == "wrong_clock" and "100 MHz" in str(error)


def test_pynqs_own_record_is_read_as_pynq_writes_it(device, monkeypatch, tmp_path):
    """With the installed pynq's own functions, not those of the emulated board."""
    from pynq.pl_server import global_state

    class Board:
        timestamp = "2026/1/1 0:0:0 +1"

    monkeypatch.setattr(global_state, "STATE_DIR", str(tmp_path))
    monkeypatch.setattr(global_state, "initial_global_state_file_boot_check", lambda: None)
    manager = tmp_path / "state"
    manager.write_text("operating\n")
    monkeypatch.setattr(loaded, "FPGA_MANAGER", str(manager))
    board = Board()
    assert loaded.identified(board, device.bitfile) is False
    values = {"bitfile_name": device.bitfile, "active_name": "Pynq-Z2", "timestamp": "t"}
    values["bitfile_hash"] = global_state.bitstream_hash(device.bitfile)
    global_state.save_global_state(global_state.GlobalState(**values))
    assert loaded.identified(board, device.bitfile) is True
    manager.write_text("write error\n")  # pynq writes its record before the download
    assert loaded.identified(board, device.bitfile) is False
    manager.write_text("operating\n")
    now = loaded.Loaded(board)
    now.check()
    (tmp_path / "other.bit").write_bytes(b"another")
    values["bitfile_name"] = str(tmp_path / "other.bit")
    values["bitfile_hash"] = global_state.bitstream_hash(values["bitfile_name"])
    global_state.save_global_state(global_state.GlobalState(**values))
    assert loaded.identified(board, device.bitfile) is False
    with pytest.raises(BoardError, match=r"other\.bit"):
        now.check()
    now.remember()
    now.check()
    board.timestamp = "2026/1/1 0:0:0 +2"
    with pytest.raises(BoardError, match="loaded last"):
        now.check()


@pytest.mark.parametrize(
    "bits, base, fits",
    [
        (32, 0x18000000, True),
        (32, (1 << 32) - (1 << 20), True),
        (32, (1 << 32) - 4096, False),
        (32, 1 << 32, False),
        (40, 0x8_0000_0000, True),
        (40, 1 << 40, False),
    ],
)
def test_every_address_is_checked_against_the_width(device, bits, base, fits):
    hwh = device.bitfile[:-4] + ".hwh"
    with open(hwh) as file:
        text, count = re.subn(
            '"c_addr_width" VALUE="[0-9]+"', f'"c_addr_width" VALUE="{bits}"', file.read()
        )
    assert count == 1
    with open(hwh, "w") as file:
        file.write(text)
    device.memory.base = base  # before anything is allocated
    if fits:
        with CirCNNOverlay(device.bitfile, device=device):
            np.testing.assert_array_equal(run(), EXPECTED)
        return
    error = refused(device.bitfile, device=device)
    assert error.cause == "unreachable_memory"
    for text in (f"c_addr_width {bits}", f"{1 << bits:#x}", "Rebuild"):
        assert text in str(error)
    del error
    gc.collect()
    assert device.usage["buffers"] == 0


def test_free_lets_the_board_go_as_well(device):
    overlay = CirCNNOverlay(device.bitfile, device=device)
    run()
    assert holder(device.tag)
    device.close = lambda: None  # which pynq calls; the fixture does later
    overlay.free()
    del device.close
    assert overlay.closed and holder(device.tag) is None
    assert device.usage["buffers"] == 0


def test_an_overlay_whose_opening_was_interrupted_holds_nothing(device, monkeypatch):
    """Even if something keeps the half-opened one alive, such as ``sys.last_traceback``."""

    def interrupt(*arguments):
        raise KeyboardInterrupt

    acquire = BoardLock.acquire
    for place in ("release", "acquire"):
        with monkeypatch.context() as patch:
            patch.setattr(CirCNNOverlay, "_open", interrupt)
            if place == "release":
                patch.setattr(BoardLock, "release", interrupt)
            else:
                patch.setattr(BoardLock, "acquire", lambda lock: (acquire(lock), interrupt()))
            with pytest.raises(KeyboardInterrupt) as kept:
                CirCNNOverlay(device.bitfile, device=device)
        with CirCNNOverlay(device.bitfile, device=device):
            np.testing.assert_array_equal(run(), EXPECTED)
        assert kept.value is not None


# -- the clock ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [None, 50.0, 125.0])
def test_the_clock_is_set_and_read_back(device, wanted):
    with CirCNNOverlay(device.bitfile, device=device, fclk_mhz=wanted) as overlay:
        assert overlay.fclk_mhz == (wanted or 100.0)
        assert pynq.ps.Clocks.fclk0_mhz == pytest.approx(overlay.fclk_mhz)


def test_the_clock_is_the_manifests_whatever_divisors_the_handoff_names(device, tmp_path):
    """A design made for a 33.33 MHz crystal names divisors that give another clock here."""
    folder = build(tmp_path)
    hwh = folder / "circnn.Pynq-Z2.hwh"
    text = hwh.read_text()
    name = '"PCW_FCLK0_PERIPHERAL_DIVISOR0" VALUE="'
    wrong = text.replace(name, name + "1")
    assert wrong != text
    hwh.write_text(wrong)
    (folder / "circnn.Pynq-Z2.json").unlink()
    with CirCNNOverlay(str(tmp_path), device=device):
        assert pynq.ps.Clocks.fclk0_mhz == pytest.approx(100)


def test_a_clock_that_cannot_be_set_is_reported(device):
    device.faults.inject("wrong_clock")
    error = refused(device.bitfile, device=device, fclk_mhz=50)
    assert error.cause == "wrong_clock" and "50 MHz" in str(error)


# -- pynq's own ways ----------------------------------------------------------------------------


def test_the_entry_points_are_there_and_name_what_is_there():
    import importlib
    from importlib.metadata import entry_points

    found = entry_points()
    for group in ("pynq.lib", "pynq.notebooks", "pynq.overlays"):
        points = found.select(group=group) if hasattr(found, "select") else found[group]
        (point,) = [point for point in points if point.name == "pynq_circnn"]
        importlib.import_module(point.value)


def test_a_bare_name_finds_the_packages_bitstream(device):
    """By pynq's own search; while none ships, a build is put where one would be."""
    target = os.path.join(os.path.dirname(bitstreams.__file__), "..", "overlays", "circnn.bit.d")
    if os.path.exists(target):
        pytest.skip("there is a bitstream")
    os.mkdir(target)
    try:
        for extension, source in ((".bit", device.bitfile), (".hwh", HWH)):
            shutil.copy(source, os.path.join(target, f"circnn.Pynq-Z2{extension}"))
        overlay = pynq.Overlay("circnn.bit", device=device)
        assert overlay.engine.driver.configuration == "z2"
        assert os.path.samefile(bitstreams.find(None, "Pynq-Z2"), overlay.bitfile_name)
    finally:
        shutil.rmtree(target)


def test_the_packages_handoff_is_what_the_scripts_make(tmp_path):
    """The .hwh that the emulated board loads comes from the unmodified Tcl, by the stand-in."""
    hw = os.path.join(os.path.dirname(__file__), "..", "hw")
    if not shutil.which("tclsh") or not shutil.which("make"):
        pytest.skip("needs tclsh and make")
    command = ["make", "-C", hw, "standin", f"OVERLAYS={tmp_path}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    with open(tmp_path / "circnn.bit.d" / "circnn.Pynq-Z2.hwh") as new, open(HWH) as kept:
        lines = zip(new.read().splitlines(), kept.read().splitlines())
        different = [pair for pair in lines if pair[0] != pair[1] and "TIMESTAMP" not in pair[0]]
    assert not different, f"copy it to {HWH}: {different[:3]}"


# -- the doctor ---------------------------------------------------------------------------------


class Board(doctor.System):
    """A healthy board."""

    def version(self, module):
        return {"pynq": "3.0.1", "pycparser": "2.21"}[module]

    def clock_mhz(self):
        return 100.0


def findings(tmp_path, **changes):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 1 kB\nCmaTotal: 131072 kB\nCmaFree: 100000 kB\n")
    values = {
        "environ": {"XILINX_XRT": "/usr"},
        "board": "Pynq-Z2",
        "root": True,
        "folder": str(tmp_path),
        "firmware": str(tmp_path),
        "meminfo": str(meminfo),
        "bitfile": str(tmp_path),
        **changes,
    }
    kind = values.pop("kind", Board)
    return {finding.name: finding for finding in doctor.examine(kind(**values))}


def test_the_doctor_finds_a_healthy_board_healthy(tmp_path):
    build(tmp_path)
    found = findings(tmp_path)
    assert {f.state for f in found.values()} <= {doctor.OK, doctor.NOTE}, found
    assert found["result"].text == "the fabric can be used"
    assert "100 MHz" in found["FCLK0"].text


@pytest.mark.parametrize(
    "name, changes, text",
    [
        ("root", {"root": False}, "/dev/mem"),
        ("XRT", {"environ": {}}, "XILINX_XRT"),
        ("folders", {"firmware": "/nowhere"}, "/nowhere"),
        ("bitstream", {"bitfile": "/nowhere"}, "/nowhere"),
        ("CMA", {"meminfo": None}, "needed"),
    ],
)
def test_the_doctor_finds_each_fault_and_a_remedy(tmp_path, name, changes, text):
    build(tmp_path)
    if name == "CMA":
        (tmp_path / "little").write_text("CmaTotal: 131072 kB\nCmaFree: 100 kB\n")
        changes = {"meminfo": str(tmp_path / "little")}
        assert contiguous_free_bytes(changes["meminfo"]) == 102400
    found = findings(tmp_path, **changes)
    assert found[name].state == doctor.FAULT and text in found[name].text and found[name].remedy
    assert found["result"].state == doctor.FAULT and name in found["result"].text
    assert "native" in found["result"].text  # the fallback is named


@pytest.mark.parametrize(
    "versions, text",
    [
        ({"pynq": None}, "not installed"),
        ({"pynq": "3.1.2", "pycparser": "3.0"}, "pycparser"),
        ({"pynq": "broken: No module named 'x'"}, "broken"),
        ({"pynq": "4.0.0", "pycparser": "2"}, "4.0.0"),
    ],
)
def test_the_doctor_knows_the_versions_of_pynq(tmp_path, versions, text):
    class Other(Board):
        def version(self, module):
            return versions[module]

    finding = findings(tmp_path, kind=Other)["pynq"]
    assert finding.state in (doctor.FAULT, doctor.WARNING)
    assert text in finding.text and finding.remedy


def test_the_doctor_tells_another_clock_and_another_configuration(tmp_path):
    build(tmp_path / "a", fclk=125.0)
    assert "sets it to 125" in findings(tmp_path, bitfile=str(tmp_path / "a"))["FCLK0"].text
    build(tmp_path / "b", digest=1)
    found = findings(tmp_path, bitfile=str(tmp_path / "b"))["bitstream"]
    assert found.state == doctor.FAULT and "00000001" in found.text


def test_the_doctor_off_the_board():
    environment = {key: value for key, value in os.environ.items() if key != "BOARD"}
    command = [sys.executable, "-m", "pynq_circnn", "doctor"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert "this is no PYNQ board" in done.stdout and "'native'" in done.stdout
    done = subprocess.run(
        [*command, "--json"],
        env={**environment, "BOARD": "Pynq-Z2"},
        stdout=subprocess.PIPE,
        text=True,
    )
    values = json.loads(done.stdout)
    assert done.returncode == 1 and not values["healthy"]


@pytest.mark.parametrize("reads, writes", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_the_doctor_knows_the_width_of_the_port_to_the_memory(tmp_path, reads, writes):
    build(tmp_path)

    class Other(Board):
        def port_controls(self):
            return reads, writes

    finding = findings(tmp_path, kind=Other)["HP0"]
    assert finding.state == (doctor.FAULT if reads or writes else doctor.OK)
    assert f"reads {32 if reads else 64} bits" in finding.text
    assert f"writes {32 if writes else 64} bits" in finding.text
    assert "0xf8008000" in finding.text and "0xf8008014" in finding.text
    assert bool(finding.remedy) == bool(reads or writes)


def test_the_doctor_reads_the_ports_registers_from_the_chip(device, monkeypatch, tmp_path):
    words = {0xF8008000: 0x1, 0xF8008014: 0x2}
    read = device.board.read
    monkeypatch.setattr(device.board, "read", lambda address: words.get(address) or read(address))
    assert doctor.System(machine="armv7l").port_controls() == (1, 2)
    assert doctor.System(machine="aarch64").port_controls() is None  # no Zynq-7000


def as_a_user(call):
    """Return the result of a call made by a user who is not root."""
    if os.geteuid():
        return call()
    os.seteuid(65534)
    try:
        return call()
    finally:
        os.seteuid(0)


def test_the_doctor_tells_a_normal_user_who_uses_the_board(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("CIRCNN_LOCK_DIR", folder)
        with emulated(tag="embedded_xrt0") as overlay:
            path = overlay._lock.path
            os.chmod(path, 0o444)
            found = as_a_user(lambda: doctor._user(doctor.System()))
            assert found.state == doctor.WARNING and f"process {os.getpid()} (" in found.text
            error = as_a_user(lambda: _fails(BoardLock("embedded_xrt0").acquire))
            assert error.cause == "busy"
            assert path in str(error) and f"process {os.getpid()} (" in str(error)
        assert as_a_user(lambda: doctor._user(doctor.System())).state == doctor.OK
        os.chmod(path, 0o000)
        found = as_a_user(lambda: doctor._user(doctor.System()))
        assert found.state == doctor.WARNING and path in found.text and found.remedy
        error = as_a_user(lambda: _fails(BoardLock("embedded_xrt0").acquire))
        assert error.cause == "busy" and "root" in str(error)


def _fails(call):
    with pytest.raises(BoardError) as raised:
        call()
    return raised.value


def test_a_lock_is_not_taken_through_a_link(monkeypatch, tmp_path):
    monkeypatch.setenv("CIRCNN_LOCK_DIR", str(tmp_path))
    (tmp_path / "precious").write_text("kept")
    os.symlink(tmp_path / "precious", BoardLock("x").path)
    assert _fails(BoardLock("x").acquire).cause == "busy"
    assert (tmp_path / "precious").read_text() == "kept"


def test_the_doctor_sees_who_uses_the_board():
    with emulated(tag="seen-by-the-doctor"):
        assert str(os.getpid()) in holder("seen-by-the-doctor")
    assert holder("seen-by-the-doctor") is None


# -- energy -------------------------------------------------------------------------------------


class Sensor:
    def __init__(self, watts):
        self.value = watts


class Rail:
    def __init__(self, watts=None):
        self.power = None if watts is None else Sensor(watts)


def test_energy_where_there_is_no_monitor(device):
    """A PYNQ-Z2 has none, and the API says so."""
    with CirCNNOverlay(device.bitfile, device=device) as overlay:
        with pytest.raises(BoardError, match="no power monitor"):
            overlay.energy()


def test_energy_where_there_is_one():
    rails = {"12V": Rail(4.0), "INT": Rail(1.0), "1V8": Rail()}
    with EnergyMeter(rails=rails, interval=0.002) as meter:
        time.sleep(0.05)
    assert meter.watts == pytest.approx(4.0)
    assert meter.joules == pytest.approx(4.0 * meter.seconds) and meter.readings >= 3
    with EnergyMeter("INT", rails, 0.002) as meter:
        time.sleep(0.02)
    assert meter.watts == pytest.approx(1.0)
    with EnergyMeter(rails={"A": Rail(2.0)}) as meter:
        pass
    assert meter.watts == pytest.approx(2.0)


def test_energy_of_which_rail_must_be_clear():
    with pytest.raises(ValueError, match="'A', 'B'"):
        EnergyMeter(rails={"A": Rail(1.0), "B": Rail(1.0)})
    with pytest.raises(ValueError, match="'C'"):
        EnergyMeter("C", {"A": Rail(1.0)})
