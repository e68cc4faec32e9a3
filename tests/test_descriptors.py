"""The limit of open files, in a process of its own: a limit that was lowered can't be raised again by everybody."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
from proxy.descriptors import descriptor_limit, raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))
print(descriptor_limit(), raise_descriptor_limit(), descriptor_limit(), raise_descriptor_limit())
"""


def test_the_soft_limit_is_raised_to_the_hard_one():
    """A shell's 1024 is not what a proxy can live on; asking twice changes nothing."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "64 512 512 512\n"
