"""The verbs on a small network, through the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.func import functional_call
from typer.testing import Result

from parasym.groups import PositiveScaling
from parasym.rules import BY_NAME
from parasym.symmetry import Binding, Symmetry
from tests.cli import nets
from tests.cli.nets import weights

Run = Callable[..., Result]
X = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))


def outputs(params: dict[str, torch.Tensor], name: str = "build") -> torch.Tensor:
    with torch.no_grad():
        return functional_call(getattr(nets, name)().eval(), params, (X.to(next(iter(params.values())).dtype),))


def test_find_shows_the_group(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:build")
    assert result.exit_code == 0
    for words in ("S(8)", "scale(8)", "dimension 16", str(40320**2)[:3], "Uncovered operations: none", "0.weight"):
        assert words in result.output, words


def test_find_writes_what_verify_reads(run: Run, folder: Path) -> None:
    assert run("find", "nets.py:build", "--input", "4x6", "-o", "symmetry.json").exit_code == 0
    symmetry = Symmetry.from_json((folder / "symmetry.json").read_text())
    assert (symmetry.order, symmetry.dimension) == (40320**2, 16)
    result = run("verify", "nets.py:build", "--symmetry", "symmetry.json", "--params", "a.safetensors", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["holds"] == "yes"


def test_find_as_json_is_the_symmetry_itself(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:Talks", "--input", "4x6", "--json")
    assert result.exit_code == 0
    assert Symmetry.from_json(result.stdout).dimension == 16


def test_find_says_why(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:build", "--why", "0.weight:scale", "--why", "4.bias")
    assert result.exit_code == 0
    assert "axis 0 (8 channels): yes, scale(8)" in result.output
    for word in ("permutation", "sign", "scale", "rotation", "linear", "shift"):
        assert f"{word} of 4.bias" in result.output
    assert "an output of the model must not change" in result.output
    answers = json.loads(run("find", "nets.py:build", "--why", "0.weight:S", "--json").stdout)["why"]
    assert [answer["group"] for answer in answers] == ["permutation"]
    for wrong, said in (("0.wweight", "Is it `0.weight`"), ("0.weight:zoom", "no group 'zoom'"), ("0.weight:", "no group ''")):
        result = run("find", "nets.py:build", "--why", wrong, "--output", "s.json")
        assert result.exit_code == 2
        assert said in result.output
        assert not (folder / "s.json").exists()


def test_find_reads_an_exported_program(run: Run, folder: Path) -> None:
    program = torch.export.export(nets.build().eval(), (X,))
    torch.export.save(program, folder / "net.pt2")
    result = run("find", "net.pt2", "--json")
    assert result.exit_code == 0
    assert Symmetry.from_json(result.stdout).order == 40320**2


def test_find_needs_no_weights(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:on_meta", "--json")
    assert result.exit_code == 0
    assert Symmetry.from_json(result.stdout).dimension == 16


def test_verify_shows_soundness_and_completeness(run: Run, folder: Path) -> None:
    result = run("verify", "nets.py:build")
    assert result.exit_code == 0
    for words in ("Soundness: yes", "Completeness: yes", "16", "holds: yes"):
        assert words in result.output, words


def test_find_tries_what_it_found(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:build")
    assert result.exit_code == 0
    assert "Checked: one element of all factors changes the outputs by" in result.output
    data = json.loads(run("find", "nets.py:build", "--json").stdout)
    assert data["self_check"]["error"] < 1e-10
    assert data["refuted"] == []
    assert json.loads(run("find", "nets.py:build", "--no-check", "--json").stdout)["self_check"] is None
    assert "Not checked: parameters or inputs have no numbers" in run("find", "nets.py:on_meta").output


@pytest.mark.refutes
def test_find_says_what_it_refuted(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_NAME, "relu", BY_NAME["tanh"])
    result = run("find", "nets.py:build")
    assert result.exit_code == 0
    assert "Refuted: signs(8) on 0.weight[0]" in result.output
    assert len(json.loads(run("find", "nets.py:build", "--json").stdout)["refuted"]) == 2


def test_verify_in_train_mode_is_about_the_law(run: Run, folder: Path) -> None:
    result = run("verify", "nets.py:dropped", "--train-mode")
    assert result.exit_code == 0
    assert "holds: yes, in law" in result.output
    assert "draws random numbers (dropout)" in result.output
    assert "in law" not in run("verify", "nets.py:dropped").output


def test_verify_catches_a_forgotten_dual(run: Run, folder: Path) -> None:
    run("find", "nets.py:build", "-o", "symmetry.json")
    symmetry = Symmetry.from_json((folder / "symmetry.json").read_text())
    factors = [
        replace(f, bindings=tuple(replace(b, power=Fraction(1)) for b in f.bindings if isinstance(b, Binding)))
        if isinstance(f.group, PositiveScaling)
        else f
        for f in symmetry.factors
    ]
    (folder / "wrong.json").write_text(replace(symmetry, factors=tuple(factors)).to_json())
    result = run("verify", "nets.py:build", "--symmetry", "wrong.json")
    assert result.exit_code == 1
    assert "Soundness: no" in result.output


def test_a_symmetry_that_was_changed_by_hand_is_refused(run: Run, folder: Path) -> None:
    run("find", "nets.py:build", "-o", "symmetry.json")
    text = (folder / "symmetry.json").read_text()
    assert '"power": "-1"' in text
    (folder / "wrong.json").write_text(text.replace('"power": "-1"', '"power": "1"'))
    result = run("verify", "nets.py:build", "--symmetry", "wrong.json")
    assert result.exit_code == 2
    assert "changed by hand" in result.output


def test_match_undoes_a_hidden_symmetry(run: Run, folder: Path) -> None:
    run("find", "nets.py:build", "-o", "symmetry.json")
    symmetry = Symmetry.from_json((folder / "symmetry.json").read_text())
    a = weights(0)
    hidden = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(5), dtype=torch.float32), a)
    save_file({k: v.contiguous() for k, v in hidden.items()}, folder / "hidden.safetensors")
    result = run("match", "a.safetensors", "hidden.safetensors", "--model", "nets.py:build", "-o", "back.safetensors", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["distance_before"] > 1
    assert answer["distance_after"] < 1e-4
    back = load_file(folder / "back.safetensors")
    assert all(torch.allclose(back[name], value, atol=1e-5) for name, value in a.items())


def test_match_keeps_the_function_of_b(run: Run, folder: Path) -> None:
    result = run("match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-o", "moved.safetensors")
    assert result.exit_code == 0
    assert "B matched" in result.output
    b, moved = weights(1), load_file(folder / "moved.safetensors")
    assert not torch.allclose(moved["0.weight"], b["0.weight"])
    torch.testing.assert_close(outputs(moved), outputs(b), rtol=1e-4, atol=1e-5)


def test_match_without_output_writes_nothing(run: Run, folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert run("match", "a.safetensors", "b.safetensors", "-m", "nets.py:build").exit_code == 0
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_merge_writes_one_network(run: Run, folder: Path, names: str) -> None:
    files = [f"{name}.safetensors" for name in names]
    result = run("merge", *files, "--model", "nets.py:build", "-o", "merged.safetensors", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert all(pair["distance_matched"] < pair["distance_naive"] for pair in answer["pairs"])
    assert all(c["function_unchanged"] == "yes" and c["function_error"] < 1e-10 for c in answer["checkpoints"])
    merged = load_file(folder / "merged.safetensors")
    assert {k: v.shape for k, v in merged.items()} == {k: v.shape for k, v in weights(0).items()}
    assert torch.isfinite(outputs(merged)).all()


def test_merge_of_hidden_copies_is_the_network_itself(run: Run, folder: Path) -> None:
    run("find", "nets.py:build", "-o", "symmetry.json")
    symmetry = Symmetry.from_json((folder / "symmetry.json").read_text())
    for seed, name in enumerate("de"):
        hidden = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(seed), dtype=torch.float32), weights(0))
        save_file({k: v.contiguous() for k, v in hidden.items()}, folder / f"{name}.safetensors")
    files = ["d.safetensors", "a.safetensors", "e.safetensors"]
    assert run("merge", *files, "-m", "nets.py:build", "-o", "merged.safetensors").exit_code == 0
    torch.testing.assert_close(outputs(load_file(folder / "merged.safetensors")), outputs(weights(0)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", ["weight", "activation"])
def test_merge_measures_statistics_anew_on_data(run: Run, folder: Path, method: str) -> None:
    for seed, name in enumerate("pq"):
        save_file(weights(seed, "normalized"), folder / f"{name}.safetensors")
    save_file({"x": X}, folder / "data.safetensors")
    options = ["-m", "nets.py:normalized", "--data", "data.safetensors", "--method", method, "-o", "merged.safetensors"]
    assert run("merge", "p.safetensors", "q.safetensors", *options).exit_code == 0
    merged = load_file(folder / "merged.safetensors")
    hidden = X @ merged["0.weight"].T + merged["0.bias"]
    torch.testing.assert_close(merged["1.running_mean"], hidden.mean(dim=0), rtol=1e-4, atol=1e-5)
    assert merged["1.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("verb", ["match", "merge"])
def test_a_running_variance_stays_positive(run: Run, folder: Path, verb: str) -> None:
    for seed, name in enumerate("ab"):
        save_file(weights(seed, "deep_normalized"), folder / f"{name}.safetensors")
    result = run(verb, "a.safetensors", "b.safetensors", "-m", "nets.py:deep_normalized", "-o", "out.safetensors")
    assert result.exit_code == 0, result.output
    assert ("--data" in result.stderr) == (verb == "merge")
    out = load_file(folder / "out.safetensors")
    assert all(bool((out[name] > 0).all()) for name in out if name.endswith("running_var"))
    if verb == "match":
        model = nets.deep_normalized().eval()
        moved, before = (functional_call(model, p, (X,)) for p in (out, load_file(folder / "b.safetensors")))
        torch.testing.assert_close(moved, before, rtol=1e-4, atol=1e-5)


def test_checkpoints_of_different_precision(run: Run, folder: Path) -> None:
    save_file({name: value.double() for name, value in weights(1).items()}, folder / "wide.safetensors")
    result = run("merge", "a.safetensors", "wide.safetensors", "-m", "nets.py:build", "-o", "out.safetensors")
    assert result.exit_code == 0, result.output
    assert "6 tensors differ in precision" in result.stderr
    assert {value.dtype for value in load_file(folder / "out.safetensors").values()} == {torch.float32}


def test_a_diverged_model_cannot_be_told(run: Run, folder: Path) -> None:
    result = run("verify", "nets.py:diverged")
    assert result.exit_code == 2, result.output
    assert "`0.weight` has NaN" in result.output


def test_a_model_without_parameters(run: Run, folder: Path) -> None:
    result = run("verify", "nets.py:no_parameters")
    assert result.exit_code == 0, result.output
    assert "the model has no parameters" in result.output


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_of_the_files_is_kept(run: Run, folder: Path, dtype: torch.dtype) -> None:
    for seed, name in enumerate("ab"):
        save_file({k: v.to(dtype) for k, v in weights(seed).items()}, folder / f"{name}.safetensors")
    result = run("merge", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-o", "merged.safetensors")
    assert result.exit_code == 0
    assert {v.dtype for v in load_file(folder / "merged.safetensors").values()} == {dtype}


def test_force_replaces_an_output(run: Run, folder: Path) -> None:
    (folder / "merged.safetensors").write_text("old")
    files = ["a.safetensors", "b.safetensors"]
    assert run("merge", *files, "-m", "nets.py:build", "-o", "merged.safetensors", "--force").exit_code == 0
    assert "0.weight" in load_file(folder / "merged.safetensors")


def test_the_installed_command(folder: Path) -> None:
    code = "from parasym.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, "find", "nets.py:build", "--json"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert Symmetry.from_json(result.stdout).dimension == 16


def test_help_names_every_verb(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(verb in result.output for verb in ("find", "verify", "match", "merge", "demo"))


def test_distance_and_canonicalize_are_printed(run: Run, folder: Path) -> None:
    said = run("distance", "a.safetensors", "b.safetensors", "-m", "nets.py:build")
    assert said.exit_code == 0
    for words in ("Distance between the orbits", "upper bound", "least norm"):
        assert words in said.output, words
    said = run("canonicalize", "a.safetensors", "-m", "nets.py:build", "-o", "out.safetensors")
    assert said.exit_code == 0
    assert "Function unchanged: yes" in said.output
    assert torch.allclose(outputs(load_file(folder / "out.safetensors")), outputs(weights(0)), atol=1e-5)
    assert run("canonicalize", "a.safetensors", "-m", "nets.py:build", "-o", "out.safetensors").exit_code == 2  # it exists
