"""PixelMed's validator of Structured Reports on many files in one Java process, which reads its rules only once.

`python -m tests.report.pixelmed FILE...` prints what it says of each file, as JSON by path.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jpype

from tests.peers import require_program

JAR = "/usr/share/java/pixelmed.jar"
# Its rules are a style sheet, for which Saxon takes a tenth of the time of Java's own processor. It finds the same errors.
SAXON = "/usr/share/java/Saxon-HE.jar"
PROCESSOR = "-Djavax.xml.transform.TransformerFactory=net.sf.saxon.TransformerFactoryImpl"
# Its rules are larger than what Java allows an expression by default.
LIMITS = [f"-Djdk.xml.{name}=0" for name in ("xpathExprGrpLimit", "xpathExprOpLimit", "xpathTotalOpLimit")]


def validated(paths: Sequence[Path], timeout: float) -> dict[str, str]:
    """What the validator says of each file, by its name; in a process of its own, which is ended after `timeout` s."""
    require_program("java")
    require_program("pixelmed.jar", JAR)
    require_program("Saxon-HE.jar", SAXON)
    command = [sys.executable, "-m", "tests.report.pixelmed", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout, cwd=Path(__file__).parents[2])
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def _main(*paths: str) -> None:
    quickly_compiled = "-XX:TieredStopAtLevel=1"
    jpype.startJVM("-XX:+UseSerialGC", quickly_compiled, "-Xmx2g", PROCESSOR, *LIMITS, classpath=[JAR, SAXON])
    validator = jpype.JClass("com.pixelmed.validate.DicomSRValidator")()
    said = {Path(path).name: str(validator.validate(path)) for path in paths}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
