"""The settings of one build: board, design and contract brought together.

::

    python3 hw/scripts/settings.py pynq-z2 BUILD

Writes ``settings.tcl`` for the Tcl steps and the headers that the HLS sources include, each only if
it changes, so that make repeats no step in vain. Needs nothing but the standard library of
Python 3.8, so that the machine with Vivado on it needs no package. The Tcl steps take every number
from here.
"""

import importlib
import importlib.util
import json
import os
import sys
from typing import Any, Dict, List

HW = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(os.path.dirname(HW), "pynq_circnn")


def _standalone(name: str, *path: str) -> Any:
    """Return a module of the package, executed on its own: without the package and NumPy.

    Its folder never joins the search path, where its modules would stand before installed ones of
    the same name.
    """
    file = os.path.join(PACKAGE, *path)
    folders = [os.path.dirname(file)] if path[-1] == "__init__.py" else None
    spec: Any = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=folders
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


contract = _standalone("circnn_contract", "contract", "__init__.py")
reports = _standalone("circnn_reports", "engine", "reports.py")
headers = importlib.import_module("circnn_contract.headers")


def _read(*path: str) -> Any:
    with open(os.path.join(HW, *path), encoding="utf-8") as file:
        return json.load(file)


def boards() -> List[str]:
    """Return the names of the boards that a bitstream can be built for."""
    return sorted(contract.BOARDS)


def load(board: str) -> Dict[str, Any]:
    """Return board, processor, design and engine configuration as one dictionary.

    Raises
    ------
    ValueError
        If the board is not known, its engine configuration is not in the contract, or the address
        map does not lie on multiples of its ranges, or overlaps.
    """
    if board not in boards():
        raise ValueError(
            f"BOARD must be one of {', '.join(boards())}. Received: {board!r}. Choose one, or "
            "describe the board in pynq_circnn/contract/contract.json."
        )
    settings: Dict[str, Any] = {"board": board, **contract.BOARDS[board]}
    configuration = settings["configuration"]
    if configuration not in contract.hardware_configurations():
        known = ", ".join(contract.hardware_configurations())
        raise ValueError(
            f"configuration must be an engine of the contract: {known}. Received: "
            f"{configuration!r} for {board}. Add it to pynq_circnn/contract/contract.json, or "
            "change the board there."
        )
    settings["part"] = contract.CONFIGURATIONS[configuration]["part"]
    settings["fclk_mhz"] = contract.CONFIGURATIONS[configuration]["clock_mhz"]
    settings["configuration_digest"] = f"{contract.configuration_digest(configuration):08x}"
    processor = _read("processors", f"{settings.pop('processor')}.json")
    processor["parameters"][processor["clock_parameter"]] = str(settings["fclk_mhz"])
    settings["processor"] = processor
    settings["design"] = _read("design.json")
    settings["address_map"] = _address_map(processor, settings["design"])
    return settings


def _address_map(processor: Dict[str, Any], design: Dict[str, Any]) -> List[Dict[str, Any]]:
    base, end, rows = int(processor["registers_base"], 16), 0, []
    for row in sorted(design["address_map"], key=lambda row: int(row["offset"], 16)):
        offset, extent = int(row["offset"], 16), int(row["range"], 16)
        if offset % extent or extent & (extent - 1) or offset < end:
            raise ValueError(
                "a range of the address map must be a power of two, lie on a multiple of itself "
                f"and overlap no other. Received: {row['segment']} at {offset:#x} of {extent:#x} "
                f"bytes. Move it in hw/design.json to {-(-end // extent) * extent:#x}."
            )
        end = offset + extent
        rows.append({"segment": row["segment"], "address": base + offset, "range": extent})
    return rows


def _pairs(values: Dict[str, Any]) -> str:
    return " ".join(f"{{{name}}} {{{value}}}" for name, value in values.items())


def tcl(settings: Dict[str, Any]) -> str:
    """Return the settings as Tcl: one dictionary, every value in braces."""
    processor, design = settings["processor"], settings["design"]
    stream_bits = 8 * design["stream_bytes"]
    burst = design["dma"]["burst_beats"]
    dma = {
        "c_include_sg": 0,
        "c_sg_include_stscntrl_strm": 0,
        "c_addr_width": processor["address_bits"],
        "c_sg_length_width": contract.ENGINE["dma_length_bits"],
        "c_include_mm2s_dre": 0,
        "c_include_s2mm_dre": 0,
        "c_m_axi_mm2s_data_width": stream_bits,
        "c_m_axi_s2mm_data_width": stream_bits,
        "c_m_axis_mm2s_tdata_width": stream_bits,
        "c_s_axis_s2mm_tdata_width": stream_bits,
        "c_mm2s_burst_size": burst,
        "c_s2mm_burst_size": burst,
    }
    address_map = " ".join(
        f"{{{row['segment']} {row['address']:#010x} {row['range']:#010x}}}"
        for row in settings["address_map"]
    )
    engine = design["engine"]
    values: Dict[str, Any] = {
        "board": settings["board"],
        "part": settings["part"],
        "configuration": settings["configuration"],
        "configuration_digest": settings["configuration_digest"],
        "period_ns": f"{1000 / settings['fclk_mhz']:.3f}",
        "name": design["name"],
        "engine": ":".join(engine[key] for key in ("vendor", "library", "top", "version")),
        "dma_parameters": _pairs(dma),
        "interrupts": " ".join(design["interrupts"]),
        "address_map": address_map,
        "memory_masters": " ".join(design["memory_masters"]),
        "external": _pairs(processor["external"]),
        "processor_parameters": _pairs(processor["parameters"]),
    }
    for key in ("top", "vendor", "library", "version", "description"):
        values[f"engine_{key}"] = engine[key]
    for key in ("ip", "clock", "reset", "control", "control_clock", "memory", "memory_clock"):
        values[f"processor_{key}"] = processor[key]
    for key in ("interrupt", "address_space", "memory_segment"):
        values[f"processor_{key}"] = processor[key]
    values["memory_bytes"] = processor["memory_bytes"]
    lines = [f"# Generated by hw/scripts/settings.py {settings['board']}: do not edit."]
    lines.append("set settings [dict create]")
    lines += [f"dict set settings {name} {{{value}}}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def files(board: str) -> Dict[str, str]:
    """Return what a build starts from: the text of each file by its name."""
    settings = load(board)
    return {
        "settings.tcl": tcl(settings),
        **headers.engine_headers(settings["configuration"]),
    }


def write(board: str, build: str) -> None:
    """Bring the files of a build folder up to date; one that is right keeps its time."""
    headers.write_headers(build, files(board))


def main(arguments: List[str]) -> None:
    """Write the files of the board and into the folder that the command line names."""
    if len(arguments) != 2:
        raise SystemExit(f"usage: settings.py {' | '.join(boards())} BUILD")
    try:
        write(*arguments)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
