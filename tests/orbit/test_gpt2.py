"""A copy of a transformer of the transformers library that was moved along its orbit comes back."""

import pytest
import torch

from parasym import ActivationMatching, WeightMatching, canonicalize, distance, match, model_params
from parasym.find import find
from parasym.functional import Call
from parasym.functional.run import run
from parasym.orbit.objective import gap, norm
from tests.needs import needs


@pytest.mark.parametrize("shaken", [True, False], ids=["trained biases", "as it is made"])
def test_a_moved_copy_comes_back(shaken):
    transformers = needs("transformers")
    sizes = {"vocab_size": 99, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 4}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config).eval()
    if shaken:
        with torch.no_grad():
            for x in model.parameters():
                x += 0.02 * torch.randn(x.shape)
    call = {"input_ids": torch.randint(0, 99, (4, 12))}
    symmetry, a = find(model, kwargs=call), model_params(model)
    b = symmetry.sample(generator=torch.Generator().manual_seed(1)).exactly(a)
    assert gap(a, b) > 5 * norm(a)
    for method in (WeightMatching(), ActivationMatching(model, [call])):
        there = match(symmetry, a, b, method=method)
        assert there.after < 1e-5 * norm(a)
        assert there.converged
        outputs = [run(model, p, Call((), call)).logits for p in (a, there.params)]
        assert (outputs[0] - outputs[1]).abs().max() < 1e-4 * outputs[0].abs().max()
    if shaken:
        assert distance(symmetry, a, b).relative < 1e-5
        assert gap(*(canonicalize(symmetry, x).params for x in (a, b))) < 1e-4 * norm(a)
