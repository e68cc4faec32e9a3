"""The machine that measured, as far as a reader needs it to judge the numbers."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str
    core_count: int
    kernel: str
    python: str

    def describe(self) -> str:
        return f"{self.cpu}, {self.core_count} cores, {self.kernel}, Python {self.python}"


def read_machine() -> Machine:
    return Machine(
        cpu=parse_cpu_model(CPU_INFO.read_text()),
        core_count=os.cpu_count() or 1,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def parse_cpu_model(cpu_info: str) -> str:
    """The first core's model in the text of /proc/cpuinfo; the architecture where it names none (ARM)."""
    found = MODEL.search(cpu_info)
    return found[1].strip() if found else platform.machine()
