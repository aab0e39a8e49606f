"""The comment, against a server on this machine that answers as GitHub's API does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT = Path(__file__).parents[2] / "action" / "comment.py"
MARK = "<!-- sassay:kernels -->"
BOT, PERSON = {"type": "Bot"}, {"type": "User"}


class Server(ThreadingHTTPServer):
    """Pull requests and comments, in memory."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.writable = True


class Handler(BaseHTTPRequestHandler):
    """The five calls."""

    server: Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.server.asked.append(f"GET {url.path}")
        if url.path.endswith("/pulls"):
            self._answer([pull for pull in self.server.pulls if pull["from"] == query["head"][0]])
        else:
            first = (int(query["page"][0]) - 1) * 100
            self._answer(self.server.comments[first : first + 100])

    def do_POST(self) -> None:
        made = {"id": len(self.server.comments) + 1, "user": BOT, "body": self._body()}
        self._write(made, lambda: self.server.comments.append(made))

    def do_PATCH(self) -> None:
        number = int(self.path.rsplit("/", 1)[1])
        comment = next(item for item in self.server.comments if item["id"] == number)
        body = self._body()
        self._write(comment, lambda: comment.update(body=body))

    def _body(self) -> str:
        length = int(self.headers["Content-Length"])
        return str(json.loads(self.rfile.read(length))["body"])

    def _write(self, item: dict[str, Any], change: Callable[[], object]) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        if self.server.writable:
            change()
            self._answer(item)
        else:
            self.send_error(403)

    def _answer(self, value: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "comment.md").write_text(f"{MARK}\n## sassay: REVIEW\n")
    return folder


def say(server: Server, report: Path, *options: str, event: object = None) -> str:
    """Run the script as a job would; returns what it printed."""
    event = event or {"pull_request": {"number": 7}}
    path = report.parent / "event.json"
    path.write_text(json.dumps(event))
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "--report", str(report), "--name", "kernels", *options],
        env={
            "PATH": os.environ["PATH"],
            "GITHUB_TOKEN": "secret-token",
            "GITHUB_REPOSITORY": "engine/engine",
            "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
            "GITHUB_EVENT_PATH": str(path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "secret-token" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert done.returncode == (2 if done.stdout.startswith("::error::") else 0)
    return done.stdout.strip()


def test_one_comment_that_stays(server: Server, report: Path) -> None:
    """Started once, changed when the report changes, found among hundreds, and no one else's."""
    others = [{"id": at, "user": PERSON, "body": f"{MARK} not ours"} for at in range(1, 151)]
    server.comments += others
    assert say(server, report) == "comment 151 started"
    assert say(server, report) == "comment 151 is up to date"
    (report / "comment.md").write_text(f"{MARK}\n## sassay: PASS\n")
    (report / "quiet").touch()
    assert say(server, report) == "comment 151 changed"
    assert server.comments[150]["body"].startswith(f"{MARK}\n## sassay: PASS")
    assert server.comments[:150] == others
    assert sum(asked.startswith("P") for asked in server.asked) == 2


def test_quiet_starts_nothing(server: Server, report: Path) -> None:
    """A run in which nothing changed does not start a comment."""
    (report / "quiet").touch()
    assert say(server, report) == "nothing changed: no comment to start"
    assert server.comments == []


def test_links_the_full_report_within_the_limit(server: Server, report: Path) -> None:
    """The link stays when the text is cut at GitHub's limit."""
    (report / "comment.md").write_text(f"{MARK}\n" + "a line of text\n" * 6000)
    say(server, report, "--artifact-url", "https://example.com/artifact/1")
    body = server.comments[0]["body"]
    assert len(body) <= 65_536
    assert "Cut at GitHub's limit" in body
    assert body.endswith("[Full report and captures](https://example.com/artifact/1)\n")


def fork(sha: str = "abc", branch: str = "feature") -> dict[str, Any]:
    """The event that the privileged half gets."""
    run = {
        "event": "pull_request",
        "head_sha": sha,
        "head_branch": branch,
        "head_repository": {"owner": {"login": "stranger"}},
        "pull_requests": [],
    }
    return {"workflow_run": run}


def test_a_fork_cannot_choose_where_it_writes(server: Server, report: Path) -> None:
    """The pull request follows from the event: the open one whose head is the commit that ran."""
    server.pulls = [
        {"number": 3, "from": "stranger:feature", "head": {"sha": "old"}},
        {"number": 4, "from": "stranger:feature", "head": {"sha": "abc"}},
        {"number": 5, "from": "other:feature", "head": {"sha": "abc"}},
    ]
    (report / "about.json").write_text('{"number": 1}')
    assert say(server, report, "--untrusted", event=fork()) == "comment 1 started"
    assert server.asked[-1] == "POST /repos/engine/engine/issues/4/comments"
    assert "nobody checked it" in server.comments[0]["body"]
    gone = say(server, report, "--untrusted", event=fork(sha="moved-on"))
    assert gone == "::notice::sassay: no open pull request has this commit; no comment"
    pushed = {"workflow_run": {**fork()["workflow_run"], "event": "push"}}
    assert "no workflow_run of one" in say(server, report, "--untrusted", event=pushed)


def test_what_a_stranger_wrote_is_text(server: Server, report: Path) -> None:
    """No mention, image, link, script or hidden comment of a fork's report stays alive."""
    server.pulls = [{"number": 4, "from": "stranger:feature", "head": {"sha": "abc"}}]
    hostile = (
        "@everyone ![x](https://tracker.example/p.png) [click](https://evil.example)\n"
        "<script>alert(1)</script> <img src=x> <a href='//evil.example'>a</a> <details>\n"
        "<!-- sassay:other --> www.evil.example \x1b[31m\u202e\n[r]: https://evil.example\n"
    )
    (report / "comment.md").write_text(f"{MARK}\n{hostile}")
    say(server, report, "--untrusted", event=fork())
    body = server.comments[0]["body"]
    assert "<details>" in body
    for alive in ("@e", "](", "![", "<script", "<img", "<a ", "<!-- sassay:o", "://", "www.", "]:"):
        assert alive not in body
    assert not re.search("[\x1b\u202e]", body)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("## no mark\n", f"does not begin with {MARK}"),
        ("<!-- sassay:other -->\n", f"does not begin with {MARK}"),
        (MARK + "\n" + "x" * 300_000, "not a file of at most"),
        (b"\xff\xfe", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_refuses_what_no_report_is(
    server: Server, report: Path, text: str | bytes | None, line: str
) -> None:
    """One line, exit 2, nothing written."""
    path = report / "comment.md"
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert line in say(server, report)
    assert server.asked == []


def test_reads_no_link(server: Server, report: Path, tmp_path: Path) -> None:
    """An artifact that unpacks to a link does not show another file."""
    secret = tmp_path / "secret"
    secret.write_text(f"{MARK}\nsecret\n")
    (report / "comment.md").unlink()
    (report / "comment.md").symlink_to(secret)
    assert "is not a file" in say(server, report)
    assert server.asked == []


def test_a_token_that_only_reads_is_a_warning(server: Server, report: Path) -> None:
    """The kernels are not to blame."""
    server.writable = False
    said = say(server, report)
    assert said.startswith("::warning::sassay: no comment, the server answered 403")
    assert "pull-requests: write" in said
