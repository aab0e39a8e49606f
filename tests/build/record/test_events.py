from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sassay.build.record.events import entry_name, read_events

if TYPE_CHECKING:
    from pathlib import Path

CACHE = "/tmp/inductor"


def compiled(number: int, name: str, file: str, *, benchmark: bool = False) -> dict[str, Any]:
    return {
        "event": "compiled", "hash": f"{number:064x}", "folder": f"/c/{entry_name(key(number))}",
        "arch": 90,
        "language": "ASTSource", "benchmark": benchmark, "name": name, "qualname": name,
        "module": "m", "file": file, "signature": {"x": "*fp32"}, "parameters": ["x"],
    }  # fmt: skip


def write(folder: Path, *processes: list[dict[str, Any]]) -> None:
    for number, events in enumerate(processes):
        lines = "".join(json.dumps(event) + "\n" for event in events)
        (folder / f"{number}.jsonl").write_text(lines)


def key(number: int) -> str:
    return f"{number:064x}"


def rejected(folder: Path) -> set[str]:
    """Rejects by their numbers."""
    names = {entry_name(key(number)): str(number) for number in range(10)}
    return {names[entry] for entry in read_events(folder).rejected}


def test_trials_of_an_autotuner_are_rejects_once_one_was_kept(tmp_path: Path) -> None:
    trials = [compiled(n, "gemm", "/k.py", benchmark=True) for n in (1, 2, 3)]
    write(tmp_path, trials)
    assert rejected(tmp_path) == set(), "it was still tuning: nothing is known to be a reject"
    write(tmp_path, [*trials, {"event": "kept", "hash": key(2)}])
    assert rejected(tmp_path) == {"1", "3"}


def test_what_any_process_compiles_for_a_launch_stays(tmp_path: Path) -> None:
    trials = [compiled(n, "gemm", "/k.py", benchmark=True) for n in (1, 2)]
    kept = {"event": "kept", "hash": key(2)}
    write(tmp_path, [*trials, kept], [compiled(1, "gemm", "/k.py")])
    assert rejected(tmp_path) == set()


def test_what_one_choice_keeps_a_later_one_may_drop(tmp_path: Path) -> None:
    """Inductor chooses among configurations, then descends from the best."""
    file = f"{CACHE}/ab/k.py"
    all_ = [compiled(n, "triton_red_fused_sum_0", file) for n in (1, 2, 3)]
    tuned = [
        {"event": "tuned", "tried": [key(1), key(2)], "kept": [key(1)]},
        {"event": "tuned", "tried": [key(1)], "kept": [key(3)]},
    ]
    write(tmp_path, [*all_, *tuned])
    assert rejected(tmp_path) == {"1", "2"}


def test_templates_written_to_be_timed_are_rejects_and_the_final_one_is_not(
    tmp_path: Path,
) -> None:
    """A worker's candidate that no request names is known by its folder and name."""
    named, unnamed = f"{CACHE}/aa/a.py", f"{CACHE}/bb/b.py"
    events = [
        {"event": "candidate", "file": named},
        compiled(1, "triton_mm", named),
        compiled(2, "triton_mm", unnamed),
        compiled(3, "triton_tem_fused_mm_0", f"{CACHE}/cc/c.py"),
        compiled(4, "triton_mm", "/home/me/project/triton_mm.py"),
    ]
    write(tmp_path, events)
    assert rejected(tmp_path) == {"1", "2"}


def test_lines_that_a_crash_cut_short_are_counted(tmp_path: Path) -> None:
    whole = json.dumps(compiled(1, "a", "/k.py"))
    (tmp_path / "1.jsonl").write_text(f"{whole}\n{whole[: len(whole) // 2]}")
    (tmp_path / "2.jsonl").write_bytes(b'\xff\n[1]\n{"event": "else"}\n{"event": "kept"}\n\n')
    told = read_events(tmp_path)
    assert len(told.compilations) == 1
    assert told.unreadable == 6


def test_an_entry_is_named_as_triton_names_its_folder() -> None:
    assert entry_name("ab" * 32) == "VOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5LVOVQ"
    assert entry_name("VOV2") == "VOV2"
