from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.isa.sass.material import EXIT, NOP, fadd, ffma, program

from sassay.errors import ToolError
from sassay.isa.sass import Disassembler, Tool, census, find_tools
from sassay.isa.sass import raw as raw_mode
from sassay.isa.sass import segment as segments
from sassay.isa.sass.raw import RawDisassembler
from sassay.isa.sass.store import trim
from sassay.isa.sass.tools import ask, binary_option

CODE = program(fadd(2, 3, 4), ffma(5, 6, 7, 8), EXIT, NOP).tobytes()
CENSUS = {"EXIT": 1, "FADD": 1, "FFMA": 1, "NOP": 1}


def _fake(folder: Path, body: str) -> Tool:
    """A program that claims to be nvdisasm."""
    path = folder / "nvdisasm"
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{body}\n")
    path.chmod(0o755)
    return Tool(str(path), (99, 0, 0), ("sm_80",))


def test_sections_of_several_architectures_at_once(disassembler: Disassembler) -> None:
    found = disassembler.opcodes(
        [("sm_80", CODE), ("sm_60", CODE), ("sm_75", CODE), ("gfx90a", b"")]
    )
    assert [census(item) if item else None for item in found] == [CENSUS, None, CENSUS, None]
    assert not disassembler.knows("sm_60")
    assert disassembler.version("sm_60") is None
    assert disassembler.version("sm_80") == disassembler.tools[0].release


def test_refused_words_are_counted(disassembler: Disassembler) -> None:
    rng = np.random.default_rng(7)
    words = np.frombuffer(CODE, dtype="<u8").reshape(-1, 2)
    mixed = words[rng.integers(0, len(words), 300)].copy()
    refused = rng.random(300) < 0.3
    mixed[refused] = 0
    mixed[np.flatnonzero(refused)[::2]] = (2**64 - 1, 0x123)
    [decoded] = disassembler.opcodes([("sm_80", mixed.tobytes())])
    assert decoded is not None
    names = np.array(decoded.names)[decoded.opcodes]
    assert np.array_equal(names == "INVALID", refused)
    assert disassembler.texts("sm_80", bytes(16)) == ["INVALID"]


def test_words_that_only_their_own_control_bits_make_valid() -> None:
    """A word that is refused in canonical form is asked for as it stands."""
    asked: list[int] = []

    class Picky(RawDisassembler):
        def texts(
            self, words: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
        ) -> list[str | None]:
            asked.append(len(words))
            return ["FADD" if int(high) >> 41 & 0xF else None for _, high in words]

    tool = Tool("none", (1, 0, 0), ("sm_80",))
    disassembler = Disassembler(None, [tool], tables=False)
    disassembler._store("sm_80").read = Picky(tool, "SM80").texts
    words = program((0x7221, 0x000FC00000000000 | 4 << 41), (0x7221, 0x000FC00000000000))
    [decoded] = disassembler.opcodes([("sm_80", words.tobytes())])
    assert decoded is not None
    assert census(decoded) == {"FADD": 1, "INVALID": 1}
    assert sum(asked) == 2


def test_bytes_behind_the_last_instruction_are_reported(disassembler: Disassembler) -> None:
    [decoded, empty, short] = disassembler.opcodes(
        [("sm_80", CODE + b"12345"), ("sm_80", b""), ("sm_80", b"123")]
    )
    assert decoded is not None
    assert (census(decoded), decoded.trailing_bytes) == (CENSUS, 5)
    assert empty is not None
    assert (census(empty), empty.trailing_bytes) == ({}, 0)
    assert short is not None
    assert (census(short), short.trailing_bytes) == ({}, 3)


def test_an_older_tool_answers_for_what_the_newer_one_dropped() -> None:
    new = Tool("new", (13, 5, 37), ("sm_80", "sm_90"))
    old = Tool("old", (12, 8, 90), ("sm_70", "sm_80"))
    disassembler = Disassembler(None, [new, old], tables=False)
    assert disassembler.version("sm_80") == "13.5.37"
    assert disassembler.version("sm_70") == "12.8.90"
    with pytest.raises(ToolError, match=r"knows sm_90a \(asked 13.5.37, 12.8.90\)"):
        disassembler.require("sm_90a")


def test_without_any_tool() -> None:
    disassembler = Disassembler(None, [], tables=False)
    assert not disassembler.knows("sm_90")
    assert disassembler.opcodes([("sm_90", CODE)]) == [None]
    with pytest.raises(ToolError, match="pip install nvidia-cuda-nvdisasm"):
        disassembler.texts("sm_90", CODE)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(3)", "failed with status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9"),
        ("print('hello')", "failed with status 0"),
        ("sys.stderr.write('licence expired\\n'); sys.exit(1)", "licence expired"),
    ],
)
def test_a_tool_that_fails(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        Disassembler(None, [_fake(tmp_path, body)], tables=False).opcodes([("sm_80", CODE)])


def test_a_tool_that_hangs_is_killed(tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    runner = RawDisassembler(_fake(tmp_path, body), "SM80", base_seconds=1.0)
    started = time.monotonic()
    with pytest.raises(ToolError, match="did not answer in time"):
        runner.texts(program(EXIT))
    assert time.monotonic() - started < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_interrupt_kills_the_tool(tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    runner = RawDisassembler(_fake(tmp_path, body), "SM80")

    def interrupt() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        runner.texts(program(EXIT))
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_many_words_go_to_several_processes(
    disassembler: Disassembler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_mode, "SPLIT_WORDS", 10)
    monkeypatch.setattr(raw_mode, "BATCH_WORDS", 20)
    runner = RawDisassembler(disassembler.tools[0], "SM80", workers=2)
    words = program(*(fadd(i % 200, i % 100, i % 50) for i in range(70)), (0, 0))
    texts = runner.texts(words)
    assert texts[:70] == [f"FADD R{i % 200}, R{i % 100}, R{i % 50}" for i in range(70)]
    assert texts[70] is None


def test_what_was_learned_is_not_asked_again(tmp_path: Path, disassembler: Disassembler) -> None:
    real = disassembler.tools[0]
    with Disassembler(tmp_path, [real], tables=False) as first:
        [expected] = first.opcodes([("sm_80", CODE)])
        texts = first.texts("sm_80", CODE)
    gone = Tool("/nonexistent/nvdisasm", real.version, real.archs)
    second = Disassembler(tmp_path, [gone], tables=False)
    [again] = second.opcodes([("sm_80", CODE)])
    assert expected is not None
    assert again is not None
    assert census(again) == census(expected) == CENSUS
    assert second.texts("sm_80", CODE) == texts
    with pytest.raises(ToolError, match="cannot be run"):
        second.opcodes([("sm_80", program(fadd(9, 9, 9)).tobytes())])


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "empty", "header"])
def test_a_damaged_cache_is_not_believed(
    tmp_path: Path, disassembler: Disassembler, damage: str
) -> None:
    real = disassembler.tools[0]
    with Disassembler(tmp_path, [real], tables=False) as first:
        first.opcodes([("sm_80", CODE)])
    [path] = tmp_path.rglob(f"*{segments.SUFFIX}")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flip":
        data[data.index(b"}}") + 2 + 16 * 4] ^= 1
    elif damage == "foreign":
        data = bytearray(data.replace(b" sm_80 ", b" sm_90 "))
    elif damage == "empty":
        data.clear()
    else:
        data[8:12] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    with Disassembler(tmp_path, [real], tables=False) as second:
        [decoded] = second.opcodes([("sm_80", CODE)])
    assert decoded is not None
    assert census(decoded) == CENSUS
    gone = Tool("/nonexistent/nvdisasm", real.version, real.archs)
    [rewritten] = Disassembler(tmp_path, [gone], tables=False).opcodes([("sm_80", CODE)])
    assert rewritten is not None
    assert census(rewritten) == CENSUS


def test_text_that_was_damaged_is_asked_for_again(
    tmp_path: Path, disassembler: Disassembler
) -> None:
    real = disassembler.tools[0]
    with Disassembler(tmp_path, [real], tables=False) as first:
        expected = first.texts("sm_80", CODE)
    [path] = tmp_path.rglob(f"*{segments.SUFFIX}")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert Disassembler(tmp_path, [real], tables=False).texts("sm_80", CODE) == expected


def test_many_runs_leave_few_files(tmp_path: Path, disassembler: Disassembler) -> None:
    def read(words: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> list[str | None]:
        return [f"OP{int(low) % 7} R{int(low)}" for low, _ in words]

    real = disassembler.tools[0]
    for run in range(30):
        with Disassembler(tmp_path, [real], tables=False) as one:
            one._store("sm_80").read = read
            one.opcodes([("sm_80", program((run + 1, 0), (500, 0)).tobytes())])
    assert len(list(tmp_path.rglob(f"*{segments.SUFFIX}"))) <= 9
    last = Disassembler(tmp_path, [Tool("/nonexistent", real.version, real.archs)], tables=False)
    words = program(*((run + 1, 0) for run in range(30)), (500, 0))
    assert last.texts("sm_80", words.tobytes())[:2] == ["OP1 R1", "OP2 R2"]


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "13.5.37" / "sm_80"
    folder.mkdir(parents=True)
    for index in range(4):
        path = folder / f"{index}{segments.SUFFIX}"
        path.write_bytes(bytes(100))
        os.utime(path, (index, index))
    trim(tmp_path, limit=250)
    assert sorted(path.name for path in folder.iterdir()) == ["2.words", "3.words"]


def test_finding_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_tools(tmp_path)
    assert found
    assert found == find_tools(tmp_path) == find_tools(None)
    assert found[0].version == max(tool.version for tool in found)
    assert "sm_90a" in found[0].archs
    (tmp_path / "nvdisasm.json").write_bytes(b"\xff{")
    assert find_tools(tmp_path) == found
    monkeypatch.setenv("SASSAY_NVDISASM", str(tmp_path / "nowhere"))
    with pytest.raises(ToolError, match="SASSAY_NVDISASM names no file"):
        find_tools(None)
    fake = _fake(tmp_path, "print('hello')")
    monkeypatch.setenv("SASSAY_NVDISASM", fake.path)
    with pytest.raises(ToolError, match="does not answer as nvdisasm does"):
        find_tools(None)


def test_asking_an_old_tool(tmp_path: Path) -> None:
    text = (
        "release 12.8, V12.8.90\n\n--base-address <value>\n  see '--binary' 'SM99'\n"
        "--binary <SMxy>   (-b)\n   Allowed values:  'SM100','SM50','SM70','SM90a'."
        "\n--other\n  'SM71'"
    )
    tool = ask(Path(_fake(tmp_path, f"print({text!r})").path))
    assert tool is not None
    assert tool.version == (12, 8, 90)
    assert tool.archs == ("sm_100", "sm_70", "sm_90a")
    assert ask(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("arch", "option"),
    [("sm_90a", "SM90a"), ("sm_120", "SM120"), ("sm_61", None), ("compute_90", None), ("", None)],
)
def test_names_of_architectures(arch: str, option: str | None) -> None:
    assert binary_option(arch) == option


def test_no_temporary_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Disassembler(None, tables=False).opcodes([("sm_80", CODE + bytes(16))])
    with pytest.raises(ToolError):
        Disassembler(None, [_fake(tmp_path, "sys.exit(3)")], tables=False).opcodes(
            [("sm_80", CODE)]
        )
    assert [path.name for path in tmp_path.iterdir()] == ["nvdisasm"]


def test_two_processes_share_a_cache(tmp_path: Path, disassembler: Disassembler) -> None:
    script = (
        "import sys; from pathlib import Path; from sassay.isa.sass import Disassembler\n"
        "with Disassembler(Path(sys.argv[1]), tables=False) as d:\n"
        "    print(d.opcodes([('sm_80', bytes.fromhex(sys.argv[2]))])[0].opcodes.size)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), code.hex()],
            stdout=subprocess.PIPE,
            env=environment,
        )
        for code in (CODE, CODE + program(fadd(1, 1, 1)).tobytes())
    ]
    assert [int(process.communicate()[0]) for process in running] == [4, 5]
    gone = Tool("/nonexistent", disassembler.tools[0].version, disassembler.tools[0].archs)
    [decoded] = Disassembler(tmp_path, [gone], tables=False).opcodes([("sm_80", CODE)])
    assert decoded is not None
    assert census(decoded) == CENSUS
