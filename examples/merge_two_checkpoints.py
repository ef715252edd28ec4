# %% [markdown]
# # Merge two checkpoints
# Two networks of one architecture, trained from different seeds. Their plain average is useless; after matching
# it is as good as either.

# %%
import sys

import torch
from torch import nn

from parasym.data import load_digits
from parasym.find import find
from parasym.landscape import barrier
from parasym.orbit import match, merge
from parasym.population import TrainingPlan, train_population

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
WIDTH = int(sys.argv[2]) if len(sys.argv) > 2 else 256


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))


# %% [markdown]
# ## Two checkpoints
# Any two state dicts of one architecture will do; here they are made on the spot.

# %%
digits = load_digits()
plan = TrainingPlan(epochs=EPOCHS, rate=3e-3, decay=1.0)
a, b = train_population(build, digits.train_images, digits.train_labels, seeds=(0, 1), plan=plan).params

# %% [markdown]
# ## The symmetry, found from the model alone

# %%
model = build().eval()
symmetry = find(model, (digits.test_images[:4],))
print(symmetry)

# %% [markdown]
# ## Along the segment, before and after
# `match` returns the element of the group that brings `b` closest to `a`; the moved `b` computes the same function.

# %%
found = match(symmetry, a, b)
print(found)
test = digits.test_images, digits.test_labels
for name, end in (("naive", b), ("matched", found.params)):
    print(f"{name:8}", barrier(model, a, end, *test, points=11))

# %% [markdown]
# ## One network out of two

# %%
merged = merge(symmetry, [a, b])
print(merged)
model.load_state_dict(merged.params)
with torch.no_grad():
    accuracy = (model(digits.test_images).argmax(dim=1) == digits.test_labels).double().mean()
print(f"merged: {accuracy:.1%} on the test set")
