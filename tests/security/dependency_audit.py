"""Holds the installed packages against the published lists of known vulnerabilities: part of `make check`.

A vulnerability fails the check. That the lists cannot be reached does not, for it says nothing about the code;
it is said loudly instead.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

WITHIN_S = 120
OURS = "seckill"
SKIPPED = "dependency audit SKIPPED: {reason}. Nothing is known about the installed packages."


def main() -> int:
    """Run the audit; the exit code is 1 when something installed is known to be vulnerable."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        "10",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    except subprocess.TimeoutExpired:
        return _say(0, SKIPPED.format(reason="the lists did not answer in time"))
    return _say(*judge(done.stdout, done.stderr))


def judge(output: str, complaint: str) -> tuple[int, str]:
    """Exit code and sentence for what pip-audit printed.

    Args:
        output: its standard output, JSON unless it failed.
        complaint: its standard error.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        last = (complaint.strip().splitlines() or ["it said nothing"])[-1]
        return 0, SKIPPED.format(reason=f"pip-audit could not ask ({last[:200]})")
    asked = [each for each in packages if "skip_reason" not in each]
    known = [
        f"{each['name']} {each['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'none'}"
        for each in asked
        for found in each["vulns"]
    ]
    if known:
        return 1, "\n".join(["known vulnerabilities in what is installed:", *known])
    unknown = [each["name"] for each in packages if "skip_reason" in each and each["name"] != OURS]
    if not asked:
        return 0, SKIPPED.format(reason=f"the lists know none of {len(unknown)} packages, as without a network")
    more = f"; not on the lists: {', '.join(unknown)}" if unknown else ""
    return 0, f"dependency audit: no known vulnerability in {len(asked)} packages{more}"


def _say(code: int, text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
