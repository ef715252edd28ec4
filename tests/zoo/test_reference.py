"""Models of the zoo are the architectures that they are named after: torch's own layers with the same weights agree."""

import pytest
import torch
from torch import nn

from parasym.zoo.transformer import GPT


@pytest.mark.parametrize("tied", [False, True])
def test_gpt_is_a_causal_transformer(tied: bool) -> None:
    torch.manual_seed(0)
    model = GPT(tied=tied).double().eval()
    layer = nn.TransformerEncoderLayer(6, 2, 5, dropout=0.0, activation="gelu", batch_first=True, norm_first=True).double()
    layer.load_state_dict(
        {
            **{f"self_attn.{name}": x for name, x in model.attention.state_dict().items()},
            **{f"{theirs}.{name}": x for theirs, ours in PARTS.items() for name, x in getattr(model, ours).state_dict().items()},
        }
    )
    ids = torch.randint(7, (3, 5))
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    hidden = layer.eval()(model.tok(ids) + model.pos.weight, src_mask=mask)
    assert torch.allclose(model(ids), model.norm(hidden) @ model.head.weight.T, atol=1e-12)


PARTS = {"linear1": "up", "linear2": "down", "norm1": "norm1", "norm2": "norm2"}
