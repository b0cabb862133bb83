# SPDX-License-Identifier: Apache-2.0
"""The images of the Dockerfile, and containers that may do as little as a cluster lets them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

# No network, nothing writable but /tmp and the mounts, no way to more rights than none.
CONFINED = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def image_of(extras: str, built: str) -> str:
    """The image with these extras: the one that the environment variable `built` names, else a new one.

    Skips the test where there is no Docker Engine.
    """
    if shutil.which("docker") is None or docker("info").returncode != 0:
        pytest.skip("docker is not available")
    if name := os.environ.get(built):
        return name
    tag = f"kelp-{extras.replace(',', '-')}:test"
    build = docker("build", "--build-arg", f"EXTRAS={extras}", "--tag", tag, str(CHECKOUT))
    assert build.returncode == 0, build.stderr[-4000:]
    return tag


def in_container(image: str, *command: str, mounts: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a confined container."""
    volumes = [part for mount in mounts for part in ("--volume", mount)]
    return docker("run", "--rm", *CONFINED, "--tmpfs", "/tmp", *volumes, image, *command)


def open_to_all(folder: Path) -> None:
    """Let the container's user, who is somebody else, read and write all of a folder."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def is_importable(image: str, module: str) -> bool:
    found = in_container(image, "python", "-c", f"import importlib.util; print(importlib.util.find_spec({module!r}))")
    assert found.returncode == 0, found.stderr
    return found.stdout.strip() != "None"


def check_there_is_nobody_to_build_or_install(image: str) -> None:
    """Fail unless the image runs as a number that is not root, without a compiler and without pip."""
    assert in_container(image, "id", "-u").stdout.strip() == "10001"
    for tool in ("gcc", "cc", "pip", "pip3"):
        assert in_container(image, "which", tool).returncode != 0, tool
    for python in ("python", "/usr/local/bin/python3"):
        assert "No module named pip" in in_container(image, python, "-m", "pip", "--version").stderr, python
