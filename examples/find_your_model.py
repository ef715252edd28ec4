# %% [markdown]
# # Find the symmetry of your own model
# No specification is needed: the model and inputs of the right shape are enough.

# %%
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.verify import verify


class Gated(nn.Module):
    """A residual block with a gated hidden layer, as in many language models."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(self.norm(x)).chunk(2, dim=-1)
        return x + self.down(nn.functional.silu(gate) * value)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 6), Gated(6, 5), nn.Linear(6, 2))
x = torch.randn(16, 3)

# %% [markdown]
# ## Find
# Every factor is a group, the wire that it acts on, and the tensors that it moves.

# %%
symmetry = find(model, (x,))
print(symmetry)

# %% [markdown]
# ## Verify
# Sound: random elements leave the outputs unchanged. Complete: every direction in which the function does not
# change belongs to the group.

# %%
report = verify(model, symmetry, (x,))
print(report)

# %% [markdown]
# ## Move
# Another point of the orbit: other numbers, the same function.

# %%
params = {name: value.detach().double() for name, value in model.state_dict().items()}
element = symmetry.sample(generator=torch.Generator().manual_seed(0))
moved = symmetry.act(element, params)
model.double()
before = torch.func.functional_call(model, params, (x.double(),))
after = torch.func.functional_call(model, moved, (x.double(),))
change = max(float((moved[name] - params[name]).abs().max()) for name in params)
print(f"largest change of a weight {change:.2f}, of an output {float((after - before).abs().max()):.1e}")
