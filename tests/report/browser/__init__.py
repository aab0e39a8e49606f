"""The HTML report in a real browser: `python -m tests.report.browser [REPORT.html] [--shots DIR]`.

Not a part of the test suite, since it needs Chromium.
"""
