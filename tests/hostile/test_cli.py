"""Bad input through the whole command line: one clear line, exit 2, and the rest is reported."""

from __future__ import annotations

import html.parser
import json
import re
import resource
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.cli.cubins import cubin
from tests.cli.inputs import AFTER, BEFORE, GATE, QUIET, Written, write_cache
from tests.cli.running import environment, run, spawn
from tests.hostile.bad_inputs import BAD, GOOD

FORMATS = ("terminal", "json", "markdown", "html")
CASES = [pytest.param(*case, id=name) for name, case in BAD.items()]


@pytest.mark.parametrize(("name", "make", "said"), CASES)
def test_alone_it_is_one_line(name: str, make: object, said: str, tmp_path: Path) -> None:
    assert callable(make)
    (tmp_path / name).write_bytes(make())
    started = time.monotonic()
    for line in (
        ("show", name),
        ("diff", name, name),
        ("check", name),
        ("capture", name, "-o", "c"),
    ):
        result = run(*line, cwd=tmp_path)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.error.startswith(name)
        assert said in result.error
        assert len(result.error) < 400
    assert not (tmp_path / "c").exists()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("name", "make", "said"), CASES)
def test_among_many_it_is_a_diagnostic(name: str, make: object, said: str, tmp_path: Path) -> None:
    assert callable(make)
    folder = tmp_path / "tree"
    write_cache(folder, BEFORE[:2])
    (folder / "zz").mkdir()
    (folder / "zz" / name).write_bytes(make())
    (tmp_path / "quiet.yaml").write_text(QUIET)
    shown = run("show", "tree", "--format", "json", cwd=tmp_path)
    assert shown.status == 0
    document = json.loads(shown.stdout)
    assert len(document["kernels"]) == 2, "the rest is reported"
    (wrong,) = [each for each in document["diagnostics"] if each["level"] == "error"]
    assert wrong["place"].startswith(f"zz/{name}")
    assert said in f"{wrong['place']} {wrong['message']}"
    assert shown.error.startswith(f"zz/{name}")
    judged = run("check", "tree", "--policy", "quiet.yaml", cwd=tmp_path)
    assert judged.status == 2
    assert re.search(r"^UNKNOWN ", judged.stdout, re.MULTILINE)
    assert f"zz/{name}" in judged.stdout
    assert run("check", "tree", "-p", "quiet.yaml", "--allow-unknown", cwd=tmp_path).status == 0


def test_bombs_stay_within_memory_and_time(tmp_path: Path) -> None:
    for number, (name, make, _) in enumerate(BAD.values()):
        (tmp_path / f"{number}.{name}").write_bytes(make())
    (tmp_path / "good.cubin").write_bytes(GOOD)
    script = (
        "import re, sys\n"
        "from sassay.cli.main import main\n"
        "status = main(sys.argv[1:])\n"
        # Its own: `ru_maxrss` begins with what the process that started it had.
        "(peak,) = re.findall(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())\n"
        "sys.stderr.write(f'peak {peak}\\n')\n"
        "sys.exit(status)\n"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, "show", str(tmp_path), "--format", "json"],
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert len(document["kernels"]) == 1
    assert sum(each["level"] == "error" for each in document["diagnostics"]) == len(BAD)
    peak = int(done.stderr.decode().rpartition("peak ")[2])
    assert peak < 300 << 10, "KiB"
    assert time.monotonic() - started < 30


def test_an_architecture_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "k.cubin").write_bytes(cubin("k", ["EXIT"], flags=240))
    (tmp_path / "quiet.yaml").write_text(QUIET)
    shown = run("show", "k.cubin", "--format", "json", cwd=tmp_path)
    assert shown.status == 0
    document = json.loads(shown.stdout)
    assert document["kernels"][0]["arch"] == "sm_240"
    assert document["kernels"][0]["instructions"]["sass"] is None
    assert "no disassembler at hand knows sm_240" in shown.stderr
    judged = run("check", "k.cubin", "--policy", "quiet.yaml", cwd=tmp_path)
    assert judged.status == 2
    assert judged.stdout.startswith("sassay check")
    listed = run("show", "k.cubin", "k", "--layer", "sass", cwd=tmp_path)
    assert listed.status == 2
    assert "sm_240" in listed.error


def test_json_that_is_no_metadata(tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", BEFORE[:2])
    bad = min((tmp_path / "cache").glob("*/*.json"))
    for content in ("{", "[" * 50_000, '{"a": 1}', '"\\ud800"', "NaN"):
        bad.write_text(content)
        result = run("show", "cache", cwd=tmp_path)
        assert result.status == 0
        assert result.error.startswith(f"{bad.parent.name}/{bad.name}: ")
        assert len(result.error) < 400


ANCHORS = "a: &a [x]\n" + "".join(
    f"{key}: &{key} [*{old}, *{old}, *{old}, *{old}]\n"
    for old, key in zip("abcdefghijklmn", "bcdefghijklmno", strict=True)
)


def test_policies_and_measurements_that_are_wrong(tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", BEFORE[:1])
    for name, content in (
        ("key.yaml", GATE.replace("effect", "efect")),
        ("bytes.yaml", b"\xff\xfe\x00"),
        ("deep.yaml", "[" * 5000),
        ("anchors.yaml", ANCHORS),
        ("nothing.yaml", ""),
    ):  # fmt: skip
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        result = run("check", "cache", "--policy", name, cwd=tmp_path)
        assert (result.status, result.stdout) == (2, "")
        assert result.error.startswith(name)
    for content in ("", "[]", '{"gsm8k": ', '{"a b\\u001b": 1}', '{"x": NaN}'):
        (tmp_path / "e.json").write_text(content)
        result = run("check", "cache", "cache", "--evidence", "e.json", cwd=tmp_path)
        assert (result.status, result.stdout) == (2, ""), content
        assert result.error.startswith("e.json: ")


HOSTILE_NAMES = (
    "\x1b[2J\x1b]0;owned\x07k",
    "<script>alert(1)</script>",
    "a|b`c`*d*[e](http://example.org)@f#1",
    "line\nbreak\rreturn\ttab",
    "\u202edesrever\u2066",
    "[bold red]rich[/]",
    "k\udcff\udc80",
    "';--\"%s{0}$(id)",
)


class _Tags(html.parser.HTMLParser):
    """Collects tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.scripts += tag == "script"
        assert not [name for name, _ in attrs if name.startswith("on")]


def harmless(text: str, format_: str) -> None:
    """Nothing in a report acts on whoever looks at it."""
    text.encode("utf-8")
    controls = [c for c in text if not c.isprintable() and c != "\n"]
    assert not controls, controls
    if format_ == "html":
        page = _Tags()
        page.feed(text)
        assert "alert(1)" not in re.sub(r"(?s)<[^>]*>", "", text) or "&lt;script&gt;" in text
        assert not re.search(r"<script>alert", text)
    if format_ == "markdown":
        # Outside of code spans no tag, link or mention is left.
        prose = re.sub(r"(`+).*?\1", "", text)
        prose = re.sub(r"<code>.*?</code>", "", prose)
        assert "<script" not in prose
        assert "](http" not in prose
        assert "@f" not in prose


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trees of cubins, caches and folders whose names bite."""
    place = tmp_path_factory.mktemp("hostile")
    for state, filler in (("before", ["FADD"]), ("after", ["FMUL", "FMUL"])):
        for number, name in enumerate(HOSTILE_NAMES):
            folder = place / state / f"{number}{name.replace('/', '_')}"
            folder.mkdir(parents=True)
            words = ["S2R", "LDG", *filler, "STG", "EXIT"]
            (folder / "k.cubin").write_bytes(cubin(name, words))
            entry = folder / "ZZ"
            entry.mkdir()
            one = Written("cached", ("S2R", *filler, "EXIT"), ("ret;",))
            one.write(entry)
            metadata = entry / one.key / "cached.json"
            fields = json.loads(metadata.read_text())
            metadata.write_text(
                json.dumps({**fields, "name": name.encode(errors="replace").decode()})
            )
        (place / state / "bad\x1b[31m\n<b>.cubin").write_bytes(b"\x7fELF")
    (place / "gate.yaml").write_text(QUIET.replace("category: atomic", 'family: "*"'))
    return place


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "line", ["show before", "diff before after", "diff before after --full --all",
             "check before after --policy gate.yaml"],
)  # fmt: skip
def test_hostile_names_are_harmless_in_every_report(line: str, format_: str, hostile: Path) -> None:
    result = run(*line.split(), "--format", format_, cwd=hostile)
    assert result.status in {0, 1, 2}
    harmless(result.stdout, format_)
    harmless(result.stderr, "terminal")
    assert "internal error" not in result.stderr
    if format_ == "json":
        json.loads(result.stdout)


def test_hostile_names_are_harmless_elsewhere(hostile: Path) -> None:
    for format_ in ("sarif", "junit"):
        line = ("check", "before", "after", "--policy", "gate.yaml", "--format", format_)
        text = run(*line, cwd=hostile).stdout
        harmless(text, format_)
        _ = json.loads(text) if format_ == "sarif" else ET.fromstring(text)
    explained = run("policy", "explain", "gate.yaml", "before", "after", cwd=hostile)
    harmless(explained.stdout, "terminal")
    for format_ in ("table", "json", "csv"):
        sql = "select * from kernels order by all"
        asked = run("query", sql, "before", "--format", format_, cwd=hostile)
        assert asked.status == 0
        harmless(asked.stdout, "terminal")
    for name in HOSTILE_NAMES:
        result = run("show", "before", f"{name}?", cwd=hostile)
        assert result.status == 2
        harmless(result.stderr, "terminal")
    result = run("show", "before", "--family", "\x1b[2J*", "--arch", "\x1b[2J", cwd=hostile)
    harmless(result.stderr, "terminal")
    result = run("show", "\x1b[2J<b>", cwd=hostile)
    harmless(result.stderr, "terminal")


def test_hostile_names_survive_a_capture(hostile: Path, tmp_path: Path) -> None:
    capture = tmp_path / "c.sassay"
    done = run("capture", "before", "-o", capture, cwd=hostile)
    assert done.status == 0
    harmless(done.stdout + done.stderr, "terminal")
    live = json.loads(run("show", "x=before", "--format", "json", cwd=hostile).stdout)
    kept = json.loads(run("show", f"x={capture}", "--format", "json", cwd=hostile).stdout)
    assert kept == live
    assert run("diff", "before", capture, "--exit-code", cwd=hostile).status == 0


def test_output_that_cannot_be_written_loses_nothing(workplace: Path) -> None:
    def check(*outputs: str) -> None:
        result = run("check", "before", "after", *outputs, cwd=workplace)
        assert (result.status, result.stdout) == (2, "")
        assert result.error

    (workplace / "old.json").write_text("precious")
    (workplace / "locked").mkdir()
    check("--json", "after")
    check("--html", "missing/report.html")
    check("-o", "before.sassay")
    check("--json", "/proc/self/report.json")
    # One format fails to render: no file is touched, also not the ones before it.
    result = run(
        "diff", "before", "after", "--json", "old.json", "--sarif", "x.sarif", cwd=workplace
    )
    assert result.status == 2
    assert (workplace / "old.json").read_text() == "precious"
    assert not (workplace / "x.sarif").exists()
    leftovers = [item.name for item in workplace.iterdir() if item.name.startswith(".")]
    assert leftovers == []


def test_a_failing_write_keeps_the_old_file(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "old.json").write_text("precious")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    result = run("diff", "before.sassay", "after.sassay", "--json", "old.json", cwd=workplace)
    assert result.status == 2
    assert "No space left on device" in result.error
    assert (workplace / "old.json").read_text() == "precious"
    assert not list(workplace.glob(".old.json*"))


KILLS = 30
KILLER = """\
import contextlib, io, json, os, random, signal, sys, time
import duckdb, numpy
import sassay.capture, sassay.report
from sassay.cli.main import main

def capture(times):
    child = os.fork()
    if child == 0:
        for number in range(times):
            name = ("after.sassay", "before.sassay")[number % 2]
            assert main(["capture", name, "-q", "-o", "target.sassay"]) == 0
        os._exit(0)
    return child


started = time.monotonic()
assert os.waitpid(capture(2), 0)[1] == 0
one = (time.monotonic() - started) / 2
chosen = random.Random(20)
met = []
for _ in range(int(sys.argv[1])):
    child = capture(1000)
    time.sleep(chosen.uniform(0.0, 3.0 * one))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    out = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out):
        assert main(["show", "target.sassay", "--format", "json"]) == 0
    met.append(len(json.loads(out.buffer.getvalue())["kernels"]))
print(json.dumps(met))
"""


def test_a_killed_capture_leaves_the_old_one_or_the_new_one(workplace: Path) -> None:
    """SIGKILL at a random moment while a capture is written over another, many times."""
    target = workplace / "target.sassay"
    assert run("capture", "before", "-o", target, cwd=workplace).status == 0
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(KILLS)], cwd=workplace, env=environment(),
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    met = json.loads(done.stdout)
    assert len(met) == KILLS
    assert set(met) == {len(BEFORE), len(AFTER)}, "whole, and both kinds were met"
    assert run("capture", "before", "-o", target, cwd=workplace).status == 0
    assert [item.name for item in workplace.iterdir() if item.name.startswith(".")] == []


def test_missing_disassembler_is_unknown_not_pass(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sassay.capture import cubin_facts
    from sassay.isa.sass import disassembler, tools

    monkeypatch.setattr(tools, "_package_roots", lambda name: [])
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(workplace / "cache"))
    for variable in ("CUDA_HOME", "CUDA_PATH", "SASSAY_NVDISASM"):
        monkeypatch.delenv(variable, raising=False)
    shown = run("show", "lone.cubin", cwd=workplace)
    assert (shown.status, shown.stderr) == (0, ""), "the tables know every word of it"
    # As for an architecture that has no table either.
    for module in (disassembler, cubin_facts):
        monkeypatch.setattr(module, "decoder_for", lambda arch: None)
    monkeypatch.setenv("SASSAY_CACHE_DIR", str(workplace / "another-cache"))
    shown = run("show", "lone.cubin", cwd=workplace)
    assert shown.status == 0
    assert "no disassembler" in shown.stderr
    judged = run("check", "after", "--policy", "gate.yaml", cwd=workplace)
    assert judged.status == 2
    listed = run("show", "lone.cubin", "copy_rows", "--layer", "sass", cwd=workplace)
    assert listed.status == 2
    assert "pip install nvidia-cuda-nvdisasm" in listed.error
    assert run("show", "before.sassay", "copy_rows", "--arch", "sm_80", cwd=workplace).status == 0


def test_a_cache_folder_that_is_none(workplace: Path) -> None:
    for cache in ("/proc/nowhere", str(workplace / "gate.yaml")):
        env = {"SASSAY_CACHE_DIR": cache}
        result = run("diff", "before", "after", "--summary", cwd=workplace, env=env)
        assert (result.status, result.stderr) == (0, "")


def test_a_home_that_is_not_there(workplace: Path) -> None:
    env = {"SASSAY_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/nonexistent", "PATH": ""}
    result = spawn("show", "before", "--summary", cwd=workplace, env=env)
    assert (result.status, result.stderr) == (0, "")
