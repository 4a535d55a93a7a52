"""Asks pip's resolver whether all that is needed has a wheel, for each system and Python.

`make wheels`, or `python -m tests.wheels [PATTERN …]`: of the targets, those whose name has one
of the patterns. It downloads what pip needs to know, and for torch that is much: it is run on
demand, not in CI. It fails where a wheel is missing, and where one is not that is said to be.

pip takes `--platform` for what wheels fit, but evaluates the markers of requirements for the
machine that it runs on. So it is run here with the markers' environment of the target.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
GLIBC = 28  # of Debian 10, RHEL 8 and newer
# What a person may install; `dev` is for those who have a machine like CI's.
EXTRAS = ("discovery", "link", "train", "bench")

PIP = """
import json, sys
from pip._vendor.packaging import markers
environment = json.loads(sys.argv.pop(1))
markers.default_environment = lambda: dict(environment)
from pip._internal.operations.prepare import RequirementPreparer
# It has their metadata by then. The wheels, gigabytes of CUDA among them, are not needed.
RequirementPreparer.prepare_linked_requirements_more = lambda *all, **more: None
from pip._internal.cli.main import main
sys.exit(main())
"""


@dataclass(frozen=True)
class System:
    """What pip is to believe that it runs on."""

    platforms: tuple[str, ...]
    markers: dict[str, str]


def _linux(machine: str) -> System:
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)]
    tags += [f"manylinux2014_{machine}", f"linux_{machine}"]
    return System(
        tuple(tags),
        {
            "os_name": "posix",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": machine,
        },
    )


def _macos(machine: str) -> System:
    return System(
        (f"macosx_14_0_{machine}",),
        {
            "os_name": "posix",
            "sys_platform": "darwin",
            "platform_system": "Darwin",
            "platform_machine": machine,
        },
    )


SYSTEMS = {
    "linux-x86_64": _linux("x86_64"),
    "linux-aarch64": _linux("aarch64"),
    "macos-arm64": _macos("arm64"),
    "macos-x86_64": _macos("x86_64"),
    "windows-x86_64": System(
        ("win_amd64",),
        {
            "os_name": "nt",
            "sys_platform": "win32",
            "platform_system": "Windows",
            "platform_machine": "AMD64",
        },
    ),
}

# What has none, and why. It is told in docs/installing.md.
MISSING = {"macos-x86_64": "the last torch for Macs with an Intel processor is 2.2"}


def resolve(system: System, python: str, extras: Sequence[str]) -> str:
    """What pip says against a set of requirements; nothing if there is a wheel of each."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    markers = {
        **system.markers,
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
    }
    abi = "cp" + python.replace(".", "")
    command = [sys.executable, "-c", PIP, json.dumps(markers), "install"]
    command += ["--dry-run", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    command += ["--ignore-installed", "--python-version", python, "--implementation", "cp"]
    command += ["--abi", abi, "--abi", "abi3", "--abi", "none"]
    for platform in system.platforms:
        command += ["--platform", platform]
    command += ["--constraint", str(ROOT / "constraints.txt")]
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            [*command, "--target", nowhere, *wanted], capture_output=True, text=True
        )
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return (errors or [done.stderr[-300:]])[0].removeprefix("ERROR: ")


def judge(target: str, trouble: str) -> bool:
    """Prints a line, and says whether it is as expected."""
    expected = next((why for key, why in MISSING.items() if key in target), "")
    said = trouble or "all there"
    if expected:
        said += f" (expected: {expected})" if trouble else f" (but it was said: {expected})"
    print(f"{target}: {said}", flush=True)
    return bool(trouble) is bool(expected)


def main(patterns: list[str]) -> int:
    """Prints a line for each target; returns 1 if one is not as expected."""
    good = True
    for name, system in SYSTEMS.items():
        for python in PYTHONS:
            target = f"{name} {python}"
            if patterns and not any(pattern in target for pattern in patterns):
                continue
            trouble = resolve(system, python, EXTRAS)
            if not trouble or name in MISSING:
                good &= judge(f"{target} with all extras", trouble)
                continue
            for extra in ("", *EXTRAS):  # which of them is it?
                one = resolve(system, python, (extra,) if extra else ())
                good &= judge(f"{target} {extra}".strip(), one)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
