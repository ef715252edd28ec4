"""Models that nobody here wrote: how to build each, and what must be true of it."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import factorial, prod
from typing import Any

import torch
from torch import Tensor, nn

from tests.needs import needs


@dataclass(frozen=True)
class Built:
    """A model and inputs for it."""

    model: nn.Module
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A third-party model.

    Attributes:
        name: The test's name.
        build: Returns the model and inputs; skips where the package is missing.
        pinned: Parameters that no factor may move, derived by hand: biases of outputs into which no bias before can move.
        order: Order of the discrete part, derived by hand, where that is short to say.
        dtype: Precision of the soundness check.
    """

    name: str
    build: Callable[[], Built]
    pinned: tuple[str, ...]
    order: int | None = None
    dtype: torch.dtype = torch.float64


def _torchvision() -> Any:
    return needs("torchvision").models


class Logits(nn.Module):
    """A transformers model reduced to its logits: the encoder's states are no output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Tensor) -> Tensor:
        return self.model(**inputs).logits


def _vision(name: str, side: int, **options: Any) -> Callable[[], Built]:
    def build() -> Built:
        model = getattr(_torchvision(), name)(weights=None, num_classes=10, **options)
        return Built(model, (torch.randn(2, 3, side, side),))

    return build


def _transformer(kind: str, config: str, inputs: Callable[[], dict[str, Tensor]], **options: Any) -> Callable[[], Built]:
    def build() -> Built:
        package = needs("transformers")
        made = getattr(package, config)(**options, attn_implementation="sdpa")
        return Built(Logits(getattr(package, kind)(made)), kwargs=inputs())

    return build


def _tokens(*shape: int, name: str = "input_ids") -> dict[str, Tensor]:
    return {name: torch.randint(0, 20, shape)}


def _digits() -> Built:
    package = needs("digit_recognizer.model")
    return Built(package.CNN(), (torch.randn(2, 1, 28, 28),))


def _facenet(name: str, side: int) -> Callable[[], Built]:
    def build() -> Built:
        _torchvision()
        needs("requests")
        package = needs("facenet_pytorch.models.mtcnn")
        return Built(getattr(package, name)(pretrained=True), (torch.randn(2, 3, side, side),))

    return build


def _ani(element: str) -> Callable[[], Built]:
    def build() -> Built:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            package = needs("torchani")
            resources = f"{next(iter(package.__path__))}/resources/ani-1x_8x"
            constants = package.neurochem.Constants(f"{resources}/rHCNO-5.2R_16-3.5A_a4-8.params")
            ensemble = package.neurochem.load_model_ensemble(constants.species, f"{resources}/train", 8)
        return Built(ensemble[0][element], (torch.rand(4, 384),))

    return build


def _factorials(*sizes: int) -> int:
    return prod(factorial(n) for n in sizes)


_SMALL = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 20}
_LLAMA = {**_SMALL, "hidden_size": 12, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "use_cache": False}
_GPT2 = {
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 8,
    "vocab_size": 20,
    "n_positions": 8,
    "use_cache": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_T5 = {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 2, "num_heads": 2, "vocab_size": 20, "use_cache": False}
_WHISPER = {
    **{"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
    **{"encoder_ffn_dim": 12, "decoder_ffn_dim": 12, "vocab_size": 20, "num_mel_bins": 4, "max_source_positions": 6},
    **{"max_target_positions": 8, "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
    **{"decoder_start_token_id": 1},
}
_RESNET18 = (64, 64, 64, *(128, 128, 128), *(256, 256, 256), *(512, 512, 512))  # a stream and two hidden wires per stage
_RESNET18_NORMS = 64 * 5 + 128 * 5 + 256 * 5 + 512 * 5  # channels of all BatchNorms: a sign before each

TORCHVISION = (
    Case("resnet18", _vision("resnet18", 32), ("fc.bias",), _factorials(*_RESNET18) * 2**_RESNET18_NORMS),
    Case("resnet50", _vision("resnet50", 32), ("fc.bias",)),
    Case("vgg11_bn", _vision("vgg11_bn", 32), ("classifier.6.bias",), dtype=torch.float32),
    Case("mobilenet_v2", _vision("mobilenet_v2", 32), ("classifier.1.bias",)),
    Case("densenet121", _vision("densenet121", 32), ("classifier.bias",)),
    Case("convnext_tiny", _vision("convnext_tiny", 32), ()),
    Case("vit_b_16", _vision("vit_b_16", 32, image_size=32), (), dtype=torch.float32),
    Case("squeezenet1_1", _vision("squeezenet1_1", 32), ("classifier.1.bias",)),
    Case("efficientnet_b0", _vision("efficientnet_b0", 32), ("classifier.1.bias",)),
)

TRANSFORMERS = (
    Case(
        "gpt2",
        _transformer("GPT2LMHeadModel", "GPT2Config", lambda: _tokens(2, 6), **_GPT2),
        (),
        factorial(8) * 2 * (2**16 * 2 * factorial(32)) ** 2,  # stream and its sign; per layer two norms, heads, hidden units
    ),
    Case(
        "bert",
        _transformer("BertForSequenceClassification", "BertConfig", lambda: _tokens(2, 6), **_SMALL, max_position_embeddings=8),
        ("model.classifier.bias",),
    ),
    Case(
        "llama",
        _transformer("LlamaForCausalLM", "LlamaConfig", lambda: _tokens(2, 6), **_LLAMA),
        (),
        # stream: permutations and signs; the last norm's gain; per layer two gains, key-value heads, queries, SwiGLU units
        factorial(12) * 2**12 * 2**12 * (2**24 * 2 * 2**2 * factorial(12) * 2**12) ** 2,
        dtype=torch.float32,  # its norms compute in float32 whatever they are given
    ),
    Case(
        "mistral", _transformer("MistralForCausalLM", "MistralConfig", lambda: _tokens(2, 6), **_LLAMA), (), dtype=torch.float32
    ),
    Case(
        "t5",
        _transformer(
            "T5ForConditionalGeneration", "T5Config", lambda: _tokens(2, 6) | _tokens(2, 5, name="decoder_input_ids"), **_T5
        ),
        (),
        # both streams share the embedding: permutations and signs; the gains of 11 norms (the last is tied to the output);
        # heads of encoder and decoder, tied over the layers by the position bias; of two cross-attentions; hidden units
        factorial(8) * 2**8 * 2 ** (11 * 8) * 2 * 2 * 2 * 2 * factorial(12) ** 4,
        dtype=torch.float32,  # as for Llama
    ),
    Case(
        "vit",
        _transformer(
            "ViTForImageClassification",
            "ViTConfig",
            lambda: {"pixel_values": torch.randn(2, 3, 8, 8)},
            **{k: v for k, v in _SMALL.items() if k != "vocab_size"},
            image_size=8,
            patch_size=4,
        ),
        (),
    ),
    Case(
        "whisper",
        _transformer(
            "WhisperForConditionalGeneration",
            "WhisperConfig",
            lambda: {"input_features": torch.randn(2, 4, 12)} | _tokens(2, 5, name="decoder_input_ids"),
            **_WHISPER,
        ),
        (),
    ),
)

TRAINED = (
    Case("digit_recognizer", _digits, ("fc_layers.2.bias",), _factorials(32, 64, 128, 256)),
    Case("pnet", _facenet("PNet", 14), ("conv4_2.bias",), _factorials(10, 16, 32)),
    Case("rnet", _facenet("RNet", 24), ("dense5_2.bias",), _factorials(28, 48, 64, 128)),
    Case("onet", _facenet("ONet", 48), ("dense6_2.bias", "dense6_3.bias"), _factorials(32, 64, 64, 128, 256)),
    *(
        Case(f"torchani_{element}", _ani(element), ("6.bias",), _factorials(*widths))
        for element, widths in {"H": (160, 128, 96), "C": (144, 112, 96), "N": (128, 112, 96), "O": (128, 112, 96)}.items()
    ),
)

CASES = (*TORCHVISION, *TRANSFORMERS, *TRAINED)
