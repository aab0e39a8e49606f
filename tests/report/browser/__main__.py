"""Search, sorting, theme, deep links and widths of an HTML report, checked in Chromium."""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from pathlib import Path

from tests.report.browser.devtools import Tab
from tests.report.cases import cases

from sassay.report import render

_WIDTHS = (1280, 1000, 768, 360)
_VISIBLE = "[...document.querySelectorAll('#family-table tbody tr')].filter(r => !r.hidden).length"
_FIRST = "document.querySelector('#family-table tbody tr th').textContent.trim()"
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def _checks(tab: Tab, url: str) -> list[tuple[str, bool]]:
    found = []
    rows = tab.value(_VISIBLE)
    if rows:
        name = tab.value(_FIRST)
        typed = "(t) => { const s = document.getElementById('search'); s.value = t; "
        typed += "s.dispatchEvent(new Event('input')); }"
        tab.value(f"({typed})({name!r})")
        shown = tab.value(_VISIBLE)
        found.append(("search keeps what matches", 0 < shown <= rows))
        tab.value(f"({typed})('no such family')")
        found.append(("search hides what does not", tab.value(_VISIBLE) == 0))
        tab.value(f"({typed})('')")
        found.append(("an empty search shows all", tab.value(_VISIBLE) == rows))
        button = "document.querySelector('#family-table th button')"
        tab.value(f"{button}.click()")
        names = "[...document.querySelectorAll('#family-table tbody th')].map(c => c.textContent)"
        ordered = "(l => l.every((x, i) => !i || l[i - 1].trim().localeCompare(x.trim()) <= 0))"
        found.append(("a click sorts", bool(tab.value(f"{ordered}({names})"))))
        tab.value(f"{button}.click()")
        turned = "(l => l.every((x, i) => !i || l[i - 1].trim().localeCompare(x.trim()) >= 0))"
        found.append(("a second click turns the order", bool(tab.value(f"{turned}({names})"))))
    before = tab.value(_BACKGROUND)
    tab.value("document.getElementById('theme').click()")
    found.append(("the theme changes", tab.value(_BACKGROUND) != before))
    last = "[...document.querySelectorAll('details.family')].at(-1)"
    if tab.value(f"Boolean({last})"):
        link = f"{url}#{tab.value(f'{last}.id')}"
        tab.open("about:blank")
        tab.open(link)
        opened = f"new Promise(r => setTimeout(() => r({last}.open), 100))"
        found.append(("a deep link opens its family", bool(tab.value(opened))))
    tab.value("for (const one of document.querySelectorAll('details')) one.open = true")
    for width in _WIDTHS:
        tab.resize(width)
        fits = tab.value("document.documentElement.scrollWidth <= innerWidth")
        found.append((f"nothing scrolls sideways at {width} px", bool(fits)))
    found.append(("the console is silent", not tab.complaints))
    return found


def _shoot(tab: Tab, folder: Path, name: str) -> None:
    for scheme in ("light", "dark"):
        tab.prefer(scheme)
        for width in (1280, 360):
            tab.resize(width, 2400)
            data = tab.call("Page.captureScreenshot")["data"]
            (folder / f"{name}-{scheme}-{width}.png").write_bytes(base64.b64decode(data))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Check the reports named on the command line, or those of the test cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="*", type=Path)
    parser.add_argument("--shots", type=Path, help="also write screenshots into this folder")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        pages = list(options.reports)
        if not pages:
            for name in ("router", "migration", "show", "kernel", "hostile", "unchanged"):
                pages.append(Path(folder) / f"{name}.html")
                pages[-1].write_text(render("html", cases()[name]), encoding="utf-8")
        for page in pages:
            url = page.resolve().as_uri()
            with Tab(url) as tab:
                for what, good in _checks(tab, url):
                    failed += not good
                    _say(f"{'ok  ' if good else 'FAIL'} {page.stem}: {what}")
                for complaint in tab.complaints:
                    _say(f"     {complaint}")
                if options.shots:
                    tab.open("about:blank")
                    tab.open(url)
                    _shoot(tab, options.shots, page.stem)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
