"""HTML reports in Chromium: what a person does with them, done by script, and looked at."""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from pathlib import Path

from tests.report import samples, traced
from tests.report.browser.devtools import Tab
from tests.report.cases import cases, large

from sassay.report import render

_WIDTHS = (1440, 1000, 768, 360)
_SETTLED = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 60)))"
_READY = """new Promise(done => { const look = () => document.documentElement.dataset.ready
    ? done(true) : setTimeout(look, 5); look(); })"""
_ROWS = "[...document.querySelectorAll('.grid .row')]"
_NAMES = f"""{_ROWS}.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
    .map(row => row.firstChild.textContent)"""
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"
_PANE = "document.querySelector('.pane.{kind} .lines')"
_SECONDS = 2.0
_FRAME_MS = 100.0

Check = tuple[str, bool]


def _open(tab: Tab, url: str) -> float:
    """Seconds until a page can be worked with."""
    tab.open("about:blank")
    start = time.perf_counter()
    tab.open(url)
    tab.value(_READY)
    return time.perf_counter() - start


def _press(tab: Tab, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        extra = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
        tab.call("Input.dispatchKeyEvent", type=kind, key=key, **extra)
    tab.value(_SETTLED)


def _table(tab: Tab) -> list[Check]:
    total = tab.value("Number(document.querySelector('.grid').getAttribute('aria-rowcount')) - 1")
    names = tab.value(_NAMES)
    typed = "(text => { const one = document.getElementById('search'); one.value = text;"
    typed += " one.dispatchEvent(new Event('input')); })"
    tab.value(f"{typed}({names[0]!r})")
    shown = tab.value(f"{_ROWS}.length")
    found = [("search keeps what matches", 0 < shown <= total)]
    tab.value(f"{typed}('no such name')")
    found.append(("search hides what does not", tab.value(f"{_ROWS}.length") == 0))
    tab.value(f"{typed}('')")
    tab.value("document.querySelector('.grid .head button').click()")
    tab.value(_SETTLED)
    names = tab.value(_NAMES)
    found.append(
        (
            "a click sorts",
            tab.value(
                "(l => l.every((x, i) => !i || l[i - 1].localeCompare(x) <= 0))(" + _NAMES + ")"
            ),
        )
    )
    tab.value("document.querySelector('.grid .head button').click()")
    tab.value(_SETTLED)
    found.append(
        (
            "a second click turns the order",
            tab.value(
                "(l => l.every((x, i) => !i || l[i - 1].localeCompare(x) >= 0))(" + _NAMES + ")"
            ),
        )
    )
    tab.value("document.activeElement.blur()")
    _press(tab, "/")
    found.append(
        ("the slash key goes to the search", tab.value("document.activeElement.id === 'search'"))
    )
    tab.value("document.activeElement.blur()")
    link = tab.value("document.querySelector('.grid .row a').getAttribute('href')")
    tab.value("document.querySelector('.grid .row a').click()")
    tab.value(_SETTLED)
    found.append(
        (
            "a row leads to its page",
            tab.value("location.hash") == link
            and tab.value("!document.getElementById('app').hidden"),
        )
    )
    tab.value("history.back()")
    tab.value(_SETTLED)
    found.append(("back leads back", tab.value("document.getElementById('app').hidden")))
    return found


def _code(tab: Tab, url: str, kernel: str) -> list[Check]:
    """Three panes: a click lights the others, keys walk, addresses lead to lines."""
    sass = _PANE.format(kind="s")
    _open(tab, f"{url}#kernel/{kernel}/sass/0020")
    tab.value(_SETTLED)
    found = [
        (
            "an address leads to its line",
            tab.value("document.querySelector('.line.chosen .after .o').textContent") == "0020",
        )
    ]
    after = "[...document.querySelectorAll('.toolbar .chip')].find(b => b.textContent === 'after')"
    tab.value(f"{after}.click()")
    tab.value(_SETTLED)
    panes = tab.value(
        "[...document.querySelectorAll('.pane')].map(p => p.getAttribute('aria-label'))"
    )
    found.append(("three panes stand side by side", panes == ["Source", "PTX", "SASS"]))
    lit = (
        "[...document.querySelectorAll('.pane.{kind} .lit-{strength} .t')].map(t => t.textContent)"
    )
    press = ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
    reduction = "[...document.querySelectorAll('.pane.source .t')]"
    reduction += ".find(t => t.textContent.includes('tl.sum'))"
    tab.value(reduction + press)
    tab.value(_SETTLED)
    bright, pale = (
        tab.value(lit.format(kind="s", strength=2)),
        tab.value(lit.format(kind="s", strength=1)),
    )
    found.append(
        ("a source line lights its SASS", bool(bright) and all("FMUL" in one for one in bright))
    )
    found.append(("what it calls is paler", bool(pale) and all("SHFL" in one for one in pale)))
    found.append(("and its PTX", bool(tab.value(lit.format(kind="p", strength=2)))))
    tab.value("document.querySelectorAll('.pane.s .line')[3].querySelector('.t')" + press)
    tab.value(_SETTLED)
    found.append(
        (
            "a SASS line lights its PTX line",
            tab.value(lit.format(kind="p", strength=2))[:1] == ["shfl.sync.bfly.b32 %r2, %r3;"],
        )
    )
    found.append(
        ("the address names the line", str(tab.value("location.hash")).endswith("/sass/0030"))
    )
    tab.value(f"{sass}.focus()")
    _press(tab, "ArrowDown")
    found.append(("the arrow key goes on", str(tab.value("location.hash")).endswith("/sass/0040")))
    _press(tab, "b")
    _press(tab, "b")
    found.append(
        (
            "the key b changes sides",
            tab.value("document.querySelectorAll('.pane.both').length") >= 1,
        )
    )
    _press(tab, "Escape")
    _press(tab, "n")
    found.append(
        (
            "the key n finds a difference",
            tab.value(
                "document.querySelector('.line.chosen')?.classList.contains('replace') ?? false"
            ),
        )
    )
    _press(tab, "/")
    found.append(
        (
            "the slash key finds in code",
            tab.value("document.activeElement.closest('.finder') !== null"),
        )
    )
    named = """[...document.querySelectorAll('button, input, select, [tabindex="0"]')]
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).length"""
    found.append(("everything that can be pressed has a name", tab.value(named) == 0))
    return found


def _long(tab: Tab, url: str, kernel: str) -> list[Check]:
    """20,000 instructions: few elements, quick frames."""
    _open(tab, f"{url}#kernel/{kernel}/sass/0020")
    tab.value(_SETTLED)
    elements = tab.value("document.querySelectorAll('*').length")
    kind = "s" if tab.value(f"Boolean({_PANE.format(kind='s')})") else "p"
    middle = tab.value(f"""(async () => {{ const box = {_PANE.format(kind=kind)}; const frames = [];
        for (let i = 0; i < 40; i += 1) {{
            const start = performance.now();
            box.scrollTop = i * 9000;
            await new Promise(requestAnimationFrame);
            frames.push(performance.now() - start);
        }}
        return frames.sort((a, b) => a - b)[frames.length >> 1]; }})()""")
    _say(f"     {elements} elements, median frame {middle:.0f} ms")
    return [
        ("20,000 instructions are few elements", elements < 6_000),
        ("and scroll without freezing", middle < _FRAME_MS),
    ]


def _widths(tab: Tab, where: str) -> list[Check]:
    found = []
    for width in _WIDTHS:
        tab.resize(width)
        tab.value(_SETTLED)
        fits = tab.value("document.documentElement.scrollWidth <= innerWidth")
        found.append((f"{where} fits {width} px", bool(fits)))
    tab.resize(1440)
    return found


def _checks(tab: Tab, url: str, kernel: str | None) -> list[Check]:
    tab.resize(1440)
    seconds = _open(tab, url)
    _say(f"     ready in {seconds:.2f} s")
    found = [(f"it opens in {_SECONDS:g} s", seconds < _SECONDS)]
    if tab.value("Boolean(document.querySelector('main:not([hidden]) .grid'))"):
        found += _table(tab)
    before = tab.value(_BACKGROUND)
    tab.value("document.getElementById('theme').click()")
    found.append(("the theme changes", tab.value(_BACKGROUND) != before))
    tab.value("for (const one of document.querySelectorAll('details')) one.open = true")
    found += _widths(tab, "the report")
    if tab.value("Boolean(document.querySelector('.grid .row a'))"):
        tab.value("document.querySelector('.grid .row a').click()")
        tab.value(_SETTLED)
        found += _widths(tab, "a page")
    if kernel:
        found += _code(tab, url, kernel)
        found += _widths(tab, "the code")
    return found


def _shoot(tab: Tab, folder: Path, name: str, url: str, kernel: str | None) -> None:
    views = {
        "": "",
        **(
            {"-code": f"#kernel/{kernel}/sass/0040", "-kernel": f"#kernel/{kernel}"}
            if kernel
            else {}
        ),
    }
    for scheme in ("light", "dark"):
        tab.prefer(scheme)
        for width in (1440, 360):
            tab.resize(width, 1200)
            for view, address in views.items():
                _open(tab, url + address)
                tab.value(_SETTLED)
                data = tab.call("Page.captureScreenshot")["data"]
                (folder / f"{name}{view}-{scheme}-{width}.png").write_bytes(base64.b64decode(data))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _pages() -> dict[str, tuple[str, str | None]]:
    """Reports of the test cases, each with the kernel whose code it holds."""
    pages: dict[str, tuple[str, str | None]] = {
        name: (render("html", cases()[name]), None)
        for name in ("router", "migration", "show", "kernel", "hostile", "unchanged", "code")
    }
    report = traced.report()
    pages["traced"] = (render("html", report), report.traced[1].kernel)
    hostile = traced.hostile()
    pages["hostile-code"] = (render("html", hostile), None)
    pages["large"] = (render("html", large()), None)
    return pages


def _hostile(tab: Tab, url: str) -> list[Check]:
    report = traced.hostile()
    _open(tab, f"{url}#kernel/{report.traced[1].kernel}/sass/0020")
    tab.value(_SETTLED)
    shown = tab.value("document.querySelector('.pane .t').textContent")
    return [
        ("hostile names are text", samples.HOSTILE_NAMES[0] in shown),
        ("and nothing of them runs", not tab.value("document.querySelectorAll('img').length")),
    ]  # fmt: skip


def main() -> int:
    """Check the reports named on the command line, or those of the test cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="*", type=Path)
    parser.add_argument("--shots", type=Path, help="also write screenshots into this folder")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        pages: list[tuple[Path, str | None]] = [(path, None) for path in options.reports]
        if not pages:
            for name, (text, kernel) in _pages().items():
                pages.append((Path(folder) / f"{name}.html", kernel))
                pages[-1][0].write_text(text, encoding="utf-8")
            long = traced.report(20_000)
            pages.append((Path(folder) / "long.html", long.traced[1].kernel))
            pages[-1][0].write_text(render("html", long), encoding="utf-8")
        for page, kernel in pages:
            url = page.resolve().as_uri()
            with Tab("about:blank") as tab:
                if page.stem == "long" and kernel:
                    tab.resize(1440)
                    found = _long(tab, url, kernel)
                else:
                    found = _checks(tab, url, kernel)
                if page.stem == "hostile-code":
                    found += _hostile(tab, url)
                found.append(("the console is silent", not tab.complaints))
                for what, good in found:
                    failed += not good
                    _say(f"{'ok  ' if good else 'FAIL'} {page.stem}: {what}")
                for complaint in tab.complaints:
                    _say(f"     {complaint}")
                if options.shots:
                    _shoot(tab, options.shots, page.stem, url, kernel)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
