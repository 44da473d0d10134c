"""Runs the two public suites and compares what they say with expected.toml.

Reads SCIM_URL, STRICT_TOKEN and DEFAULT_TOKEN. Prints every check that did not pass and a closing line for each suite;
exits with 1 on any difference.
"""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

TIMEOUT_S = 30
PASSED = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}


@dataclass
class Check:
    """One result of a suite."""

    name: str
    outcome: str  # "passed", or what the suite calls it
    says: str


def scim2_tester(url: str, token: str) -> list[Check]:
    with Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False) as client:
        results = check_server(SyncSCIMClient(client))
    return [
        Check(
            name=" ".join(filter(None, [one.resource_type, one.title])),
            outcome="passed" if one.status in PASSED else one.status.name.lower(),
            says=one.reason or "",
        )
        for one in results
    ]


def scim_sanity(url: str, token: str) -> list[Check]:
    command = [sys.executable, "-m", "scim_sanity", "probe", url, "--token", token]
    command += ["--strict", "--i-accept-side-effects", "--json-output", "--timeout", str(TIMEOUT_S)]
    direct = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=10 * TIMEOUT_S, check=False, env=direct)
    try:
        results = json.loads(answer.stdout)["results"]
    except (ValueError, KeyError):
        sys.exit(f"scim-sanity gave no results:\n{answer.stdout}{answer.stderr}")
    return [
        Check(
            name=f"{one['phase']}: {one['name']}",
            outcome="passed" if one["status"] == "pass" else one["status"],
            says=" ".join(filter(None, [one.get("message"), one.get("details")])),
        )
        for one in results
    ]


def is_gap(gap: dict[str, str], check: Check) -> bool:
    return gap["check"] == check.name and gap.get("says", "") in check.says


def differences(suite: str, checks: list[Check], expected: dict) -> list[str]:
    """Prints what the suite said; returns what differs from what is expected."""
    gaps = expected.get("gaps", [])
    missed = [check for check in checks if check.outcome != "passed"]
    passed = len(checks) - len(missed)
    found = []
    for check in missed:
        known = [gap["reason"] for gap in gaps if is_gap(gap, check)]
        print(f"{suite}: {check.outcome}: {check.name}: {check.says}")
        if known:
            print(f"    expected: {known[0]}")
        else:
            found.append(f"new: {check.outcome}: {check.name}: {check.says}")
    for gap in gaps:
        if not any(is_gap(gap, check) for check in missed):
            found.append(f"no longer a gap, take it out of expected.toml: {gap['check']}")
    if passed < expected["passed"]:
        found.append(f"only {passed} checks passed, {expected['passed']} did before")
    skipped = sum(1 for check in missed if check.outcome.startswith("skip"))
    failed = len(missed) - skipped
    print(f"{suite} {version(suite)}: {passed} passed, {failed} failed, {skipped} skipped, {len(gaps)} expected gaps")
    return found


def main() -> None:
    url = os.environ["SCIM_URL"]
    ran = {
        "scim2-tester": scim2_tester(url, os.environ["STRICT_TOKEN"]),
        "scim-sanity": scim_sanity(url, os.environ["DEFAULT_TOKEN"]),
    }
    expected = tomllib.loads(Path(__file__).with_name("expected.toml").read_text(encoding="utf-8"))
    found = [f"{suite}: {one}" for suite, checks in ran.items() for one in differences(suite, checks, expected[suite])]
    if found:
        sys.exit("\n".join(["", "The public SCIM suites differ from .ci/suites/expected.toml:", *found]))


if __name__ == "__main__":
    main()
