"""The platform tags of wheels that PyPI accepts.

The lists are copied from PyPI's source, ``warehouse/forklift/legacy.py``.
"""

from __future__ import annotations

import re

__all__ = ["is_common_platform"]

_WINDOWS = ("win32", "win_arm64", "win_amd64", "win_ia64")
_OLD_LINUX = {
    "manylinux1": ("x86_64", "i686"),
    "manylinux2010": ("x86_64", "i686"),
    "manylinux2014": ("x86_64", "i686", "aarch64", "armv7l", "ppc64", "ppc64le", "s390x"),
    "linux": ("armv6l", "armv7l"),
}
_KNOWN = frozenset(
    ("any", *_WINDOWS, *(f"{system}_{arch}" for system, archs in _OLD_LINUX.items() for arch in archs))
)
_MACOS = "ppc|ppc64|i386|x86_64|arm64|intel|fat|fat3|fat64|universal|universal2"
_MUSL = "x86_64|i686|aarch64|armv7l|ppc64le|s390x|riscv64"
_VERSIONED = re.compile(
    "|".join(
        [
            rf"macosx_10_\d+_(?:{_MACOS})",
            rf"macosx_(?:1[1-5]|26)_0_(?:{_MACOS})",
            rf"musllinux_\d+_\d+_(?:{_MUSL})",
            rf"manylinux_\d+_\d+_(?:{_MUSL}|ppc64)",
            r"ios_\d+_\d+_(?:x86_64|arm64)_(?:iphoneos|iphonesimulator)",
            r"android_\d+_(?:armeabi_v7a|arm64_v8a|x86|x86_64)",
            r"pyemscripten_\d+_\d+_wasm32",
        ]
    ),
    re.ASCII,
)


def is_common_platform(tag: str) -> bool:
    """Return whether PyPI accepts a platform tag (PEP 425, PEP 600, PEP 656)."""
    return tag in _KNOWN or _VERSIONED.fullmatch(tag) is not None
