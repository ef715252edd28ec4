"""The public surface: what users may import from ``parasym``, changed only on purpose."""

import parasym

VERBS = {"find", "verify", "match", "match_many", "merge", "distance", "canonicalize", "hop", "barrier", "break_"}
METHODS = {"WeightMatching", "ActivationMatching", "WAsymmetric", "SigmaAsymmetric"}
VALUES = {"Symmetry", "Element", "Match", "Merge", "Canonical", "Report", "Barrier"}
REST = {"SymmetryError", "model_params", "__version__"}


def test_the_surface_is_deliberate():
    assert set(parasym.__all__) == VERBS | METHODS | VALUES | REST


def test_every_name_is_there():
    for name in parasym.__all__:
        assert getattr(parasym, name) is not None


def test_every_verb_is_documented_with_an_example():
    for name in VERBS:
        doc = getattr(parasym, name).__doc__
        assert ">>>" in doc, f"{name} has no example"
        assert "Args:" in doc, name
