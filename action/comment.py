"""Keep one comment on a pull request: find it by its marker, change it, or start it.

Runs in two places. In the pull request's own job, on a report of the same job; and, for pull
requests from forks, in a job that holds a token that writes, on an artifact that a stranger's
code wrote (`--untrusted`). So this file needs nothing but Python, runs nothing that it reads,
takes the pull request from the event and never from the artifact, and in the second case makes
the text harmless: no mentions, images, links or HTML but folds.

The environment is that of a GitHub job: GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_EVENT_PATH,
GITHUB_API_URL.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import stat
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

LIMIT = 65_536
"""Characters of a comment (GitHub)."""
MAX_BYTES = 4 * LIMIT
_PAGES = 30
_HTML = re.compile(r"<(?!/?(?:details|summary|code|br|sub|sup)>|!-- -->)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class CommentError(Exception):
    """Why there is no comment, in one line."""


def main() -> int:
    """Post or change the comment.

    Returns:
        0, also where the token may not write, which is a warning and not the kernels' fault; 2
        where the report or the event cannot be used.
    """
    options = _options()
    try:
        text = read_report(options.report, options.name, untrusted=options.untrusted)
        if options.artifact_url:
            text = _fit(text, f"\n[Full report and captures]({options.artifact_url})\n")
        hub = Hub.of_job()
        number = hub.pull_request()
        if number is None:
            print("::notice::sassay: no open pull request has this commit; no comment")
            return 0
        quiet = (options.report / "quiet").is_file()
        print(hub.keep_comment(number, marker(options.name), text, start=not quiet))
    except CommentError as error:
        print(f"::error::sassay: {error}")
        return 2
    except urllib.error.HTTPError as error:
        needed = "; the job needs `pull-requests: write`" if error.code in {401, 403, 404} else ""
        print(f"::warning::sassay: no comment, the server answered {error.code}{needed}")
    except urllib.error.URLError as error:
        print(f"::warning::sassay: no comment, the server cannot be reached: {error.reason}")
    return 0


def marker(name: str) -> str:
    """The hidden first line by which a comment is found again."""
    return f"<!-- sassay:{name} -->"


def read_report(folder: Path, name: str, *, untrusted: bool) -> str:
    """The comment's text.

    Args:
        folder: Holds `comment.md`.
        name: Of this use; the text must begin with its marker.
        untrusted: Make harmless what a stranger may have written.

    Raises:
        CommentError: No such text, or one that no report of this use can be.
    """
    path = folder / "comment.md"
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise CommentError(f"{path.name} is not a file of at most {MAX_BYTES} bytes")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommentError(f"{path.name} cannot be read: {error}") from error
    first, _, rest = text.partition("\n")
    if first != marker(name):
        raise CommentError(f"{path.name} does not begin with {marker(name)}")
    if not untrusted:
        return _fit(text, "")
    note = (
        "> Made by the run of a pull request from a fork: its author's code wrote this report, "
        "and nobody checked it.\n"
    )
    return _fit(f"{first}\n{note}\n{harmless(rest)}", "")


def harmless(text: str) -> str:
    """Markdown without mentions, images, links, comments or HTML other than folds and breaks."""
    text = "".join(char for char in text if char in "\n\t" or char.isprintable())
    text = re.sub(r"@(?!<!-- -->)", "@<!-- -->", text)
    text = _HTML.sub("&lt;", text)
    text = text.replace("](", "]\\(").replace("![", "!\\[").replace("]:", "]&#58;")
    return text.replace("://", "&#58;//").replace("www.", "www&#46;")


def _fit(text: str, end: str) -> str:
    """The text with an end, within GitHub's limit; a cut is said."""
    if len(text) + len(end) <= LIMIT:
        return text + end
    cut = "\n\n*Cut at GitHub's limit.*\n"
    return text[: LIMIT - len(cut) - len(end)].rpartition("\n")[0] + cut + end


class Hub:
    """The few calls of GitHub's REST API that a comment takes."""

    def __init__(self, api: str, repository: str, token: str, event: dict[str, Any]) -> None:
        self._api = api.rstrip("/")
        self._repository = repository
        self._token = token
        self._event = event

    @classmethod
    def of_job(cls) -> Hub:
        """As the job's environment says.

        Raises:
            CommentError: A variable or the event is missing.
        """
        try:
            event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
            return cls(
                os.environ["GITHUB_API_URL"],
                os.environ["GITHUB_REPOSITORY"],
                os.environ["GITHUB_TOKEN"],
                event,
            )
        except KeyError as error:
            raise CommentError(f"{error.args[0]} is not set") from error
        except (OSError, ValueError) as error:
            raise CommentError(f"the event cannot be read: {error}") from error

    def pull_request(self) -> int | None:
        """The number of the pull request that the event is about; None if it is not open.

        A `workflow_run` of a fork names no pull request: it is the open one from the branch of the
        run, if that still stands at the commit that ran.

        Raises:
            CommentError: The event is about none.
        """
        event = self._event
        if "pull_request" in event:
            return int(event["pull_request"]["number"])
        run = event.get("workflow_run")
        if run is None or run.get("event") != "pull_request":
            raise CommentError("the event is no pull_request, and no workflow_run of one")
        head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
        query = urllib.parse.urlencode({"state": "open", "head": head, "per_page": 100})
        for pull in self._call("GET", f"/pulls?{query}"):
            if pull["head"]["sha"] == run["head_sha"]:
                return int(pull["number"])
        return None

    def keep_comment(self, number: int, mark: str, text: str, *, start: bool) -> str:
        """Change the comment that begins with the mark, or start it.

        Args:
            number: Of the pull request.
            mark: First line of the comment.
            text: All of it.
            start: Whether to start one where there is none.

        Returns:
            What was done.
        """
        for page in range(1, _PAGES + 1):
            found = self._call("GET", f"/issues/{number}/comments?per_page=100&page={page}")
            for comment in found:
                # Anyone can write the mark; only an application's comment is ours to change.
                ours = comment["user"]["type"] == "Bot" and comment["body"].startswith(mark)
                if ours and comment["body"].strip() == text.strip():
                    return f"comment {comment['id']} is up to date"
                if ours:
                    self._call("PATCH", f"/issues/comments/{comment['id']}", {"body": text})
                    return f"comment {comment['id']} changed"
            if len(found) < 100:
                break
        if not start:
            return "nothing changed: no comment to start"
        made = self._call("POST", f"/issues/{number}/comments", {"body": text})
        return f"comment {made['id']} started"

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  # the job's own API address
            f"{self._api}/repos/{self._repository}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return json.loads(answer.read())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Keep one comment on a pull request.")
    parser.add_argument("--report", type=Path, required=True, help="folder with comment.md")
    parser.add_argument("--name", required=True, help="of this use")
    parser.add_argument("--artifact-url", default="", help="link to the full report")
    parser.add_argument("--untrusted", action="store_true", help="a stranger wrote the report")
    options = parser.parse_args()
    if not _NAME.fullmatch(options.name):
        parser.error("--name is letters, digits, '.', '_' and '-', at most 60")
    return options


if __name__ == "__main__":
    sys.exit(main())
