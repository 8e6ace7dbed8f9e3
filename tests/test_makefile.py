import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("data", "said"), [("", False), ("my cells.zip", True)])
def test_a_plan_needs_no_data_and_says_that_it_pushes_none(tmp_path, data, said):
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("make runs what is installed in .venv")
    ended = subprocess.run(
        ["make", "-o", ".venv/extra", "grid", "PLAN=1", "GRID=demo", f"DATA={data}"],
        cwd=ROOT,
        env=os.environ | {"BLOODCELL_STORE": f"file://{tmp_path}/store"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "make it with `bloodcell data synthesize`" in ended.stderr
    assert ("not for my cells.zip" in ended.stderr) == said
