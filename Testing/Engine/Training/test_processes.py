"""Two processes that train together learn what one learns."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.training.processes import Processes

ENGINE_TESTS = Path(__file__).resolve().parents[1]

SCRIPT = """
import json, sys
sys.path[:0] = [sys.argv[3], sys.argv[4]]
import torch
torch.set_num_threads(1)
from pathlib import Path
from training_cases import TINY, TinySource, TinyTask
from FewShotSegmentLib.training.processes import join_processes
from FewShotSegmentLib.training.trainer import Trainer
with join_processes("cpu") as processes:
    settings = TINY.changed(parts=4, iterations=8, optimiser="sgd")
    source = TinySource(settings)
    folder = Path(sys.argv[2])
    outcome = Trainer(TinyTask(), source, settings, folder, processes=processes).run(until=5)
    more = Trainer(TinyTask(), source, settings, folder, processes=processes).run()
    rows = [[r["step"], r["loss"], r["norm"], r["slices"]] for r in [*outcome.rows, *more.rows]]
    said = {"rows": rows, "asked": sorted(set(p for _, p in source.asked)),
            "weights": [float(w.double().sum()) for w in more.weights.values()], "count": processes.count}
    Path(f"{sys.argv[1]}.{processes.rank}").write_text(json.dumps(said))
"""


def run(tmp_path, name, command):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    arguments = [str(script), str(tmp_path / name), str(tmp_path / f"{name}-folder")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, *command, *arguments, str(ENGINE_TESTS), str(ENGINE_TESTS.parents[1])],
        check=True, timeout=300, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    return [json.loads(path.read_text()) for path in sorted(tmp_path.glob(f"{name}.*"))]


def test_two_gloo_processes_learn_what_one_learns(tmp_path):
    (alone,) = run(tmp_path, "one", [])
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    first, second = run(tmp_path, "two", launch)
    assert (first["count"], first["asked"], second["asked"]) == (2, [0, 2], [1, 3])
    assert first["rows"] == second["rows"] and first["weights"] == second["weights"]
    assert len(alone["rows"]) == len(first["rows"]) == 8
    for a, b in zip(alone["rows"], first["rows"], strict=True):
        assert a == pytest.approx(b, rel=1e-5)
    assert alone["weights"] == pytest.approx(first["weights"], rel=1e-4, abs=1e-5)


def test_the_command_under_torchrun_is_the_command(tmp_path):
    options = ["--data", "synthetic", "--size", "32", "--per-part", "1", "--parts", "2", "--iterations", "6"]
    options += ["--set", "precision=float32", "--weights", "random", "--device", "cpu", "--json", "--set", "length=2,2"]
    said = {}
    for name, launch in (("one", []), ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"])):
        command = [*launch, "-m", "FewShotSegmentLib.cli.main", "pretrain", *options, "-o", str(tmp_path / name)]
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said[name] = json.loads(done.stdout)  # one of the processes speaks
        with (tmp_path / name / "log.csv").open() as file:
            said[name]["rows"] = list(csv.DictReader(file))
    for a, b in zip(said["one"]["rows"], said["two"]["rows"], strict=True):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-3)
        assert a["slices"] == b["slices"] and bool(a["few_shot_loss"]) == bool(b["few_shot_loss"])


def test_parts_must_be_shared_evenly():
    assert Processes(1, 2).parts(6) == [1, 3, 5]
    with pytest.raises(InputError, match="--parts 4"):
        Processes(0, 2).parts(5)
    with pytest.raises(InputError, match="--parts 2"):
        Processes(0, 2).parts(1)


def test_one_process_alone():
    alone = Processes()
    assert alone.first and alone.parts(3) == [0, 1, 2] and alone.device("auto") == "auto"
