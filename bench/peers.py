"""The peers of the benchmark: set up in an environment of their own, each by itself, so that one may be missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv" / "bin" / "python"
#: what each peer is installed from; numbalsoda has no wheel and is built, which needs a Fortran compiler
PEERS = {
    "numbalsoda": ("numbalsoda==0.3.4", "numba==0.66.0", "setuptools"),
    "libroadrunner": ("libroadrunner==2.10.0",),
    "scipy": ("scipy==1.17.1",),
}
_IMPORTS = {"numbalsoda": "numbalsoda", "libroadrunner": "roadrunner", "scipy": "scipy.integrate"}


def say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


def set_up() -> dict[str, str]:
    """Why each peer that is missing could not be had, by name; those that are there are not named."""
    if not PYTHON.exists():
        say("making the peers' environment in bench/.venv")
        subprocess.run([sys.executable, "-m", "venv", str(HERE / ".venv")], check=True, stdout=subprocess.DEVNULL)
    missing = {}
    for peer, packages in PEERS.items():
        if not _there(peer):
            say(f"installing {peer}")
            if why := _install(peer, packages):
                say(f"{peer} could not be had: {why}")
                missing[peer] = why
    return missing


def _there(peer: str) -> bool:
    return subprocess.run([str(PYTHON), "-c", f"import {_IMPORTS[peer]}"], capture_output=True).returncode == 0


def _install(peer: str, packages: tuple[str, ...]) -> str:
    """Why a peer could not be installed; "" where it was."""
    if peer == "numbalsoda" and shutil.which("gfortran") is None:
        as_root = ["sudo", "-n"] if shutil.which("sudo") else []
        subprocess.run([*as_root, "apt-get", "update", "-qq"], capture_output=True)
        subprocess.run([*as_root, "apt-get", "install", "-y", "-qq", "gfortran", "cmake"], capture_output=True)
        if shutil.which("gfortran") is None:
            return "it is built from source and needs gfortran; please type: sudo apt-get install -y gfortran cmake"
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [str(uv), "pip", "install", "-q", "--python", str(PYTHON), *packages], capture_output=True, text=True
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["the installer gave no reason"])[-1].strip()
    return "" if _there(peer) else "it was installed but cannot be imported"
