"""Models of other libraries, each with a small configuration of its own and random weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tests.needs import needs

Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Library:
    """A model of ``transformers``.

    Attributes:
        kind: Name of the model's class.
        config: Name of its configuration's class.
        options: What the configuration is made of.
        inputs: Returns inputs, by name.
    """

    kind: str
    config: str
    options: dict[str, Any]
    inputs: Callable[[], Inputs]

    def build(self) -> tuple[nn.Module, Inputs]:
        """Return the model and inputs for it."""
        package = needs("transformers")
        backbone = {k: getattr(package, v.config)(**v.options) for k, v in self.options.items() if isinstance(v, Backbone)}
        config = getattr(package, self.config)(**(self.options | backbone))
        return getattr(package, self.kind)(config).eval(), self.inputs()


@dataclass(frozen=True)
class Backbone:
    """A configuration within another one."""

    config: str
    options: dict[str, Any]


def tokens(length: int = 6, **more: int) -> Callable[[], Inputs]:
    """Return a function that draws tokens, under further names too."""
    lengths = {"input_ids": length, **more}
    return lambda: {name: torch.randint(3, 20, (2, n)) for name, n in lengths.items()}


def numbers(name: str, *shape: int) -> Callable[[], Inputs]:
    """Return a function that draws normal numbers."""
    return lambda: {name: torch.randn(2, *shape)}


def pixels(side: int = 8) -> Callable[[], Inputs]:
    """Return a function that draws images."""
    return numbers("pixel_values", 3, side, side)


_VISION = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
_TEXT = {**_VISION, "vocab_size": 20}
_IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_LLAMA = {
    **_TEXT,
    **_IDS,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "use_cache": False,
    "max_position_embeddings": 16,
}
_SPEECH = {
    **{"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12, "conv_dim": [4, 4]},
    **{"conv_stride": [4, 2], "conv_kernel": [5, 3], "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2},
    "num_feat_extract_layers": 2,
}

LIBRARIES: dict[str, Library] = {
    "albert": Library("AlbertModel", "AlbertConfig", {**_TEXT, "embedding_size": 8}, tokens()),
    "roberta": Library("RobertaModel", "RobertaConfig", {**_TEXT, "max_position_embeddings": 12}, tokens()),
    "distilbert": Library(
        "DistilBertModel",
        "DistilBertConfig",
        {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "vocab_size": 20, "max_position_embeddings": 8},
        tokens(),
    ),
    "electra": Library("ElectraModel", "ElectraConfig", {**_TEXT, "embedding_size": 8}, tokens()),
    "deberta": Library(
        "DebertaModel",
        "DebertaConfig",
        {**_TEXT, "relative_attention": True, "pos_att_type": "c2p|p2c", "max_position_embeddings": 12},
        tokens(),
    ),
    "deberta_v2": Library(
        "DebertaV2Model",
        "DebertaV2Config",
        {**_TEXT, "relative_attention": True, "pos_att_type": "c2p|p2c", "max_position_embeddings": 12},
        tokens(),
    ),
    "mpnet": Library("MPNetModel", "MPNetConfig", {**_TEXT, "max_position_embeddings": 12}, tokens()),
    "esm": Library("EsmModel", "EsmConfig", {**_TEXT, "max_position_embeddings": 12, "pad_token_id": 1}, tokens()),
    "funnel": Library(
        "FunnelModel",
        "FunnelConfig",
        {"d_model": 8, "n_head": 2, "d_head": 4, "d_inner": 12, "block_sizes": [1, 1], "vocab_size": 20},
        tokens(),
    ),
    "xlnet": Library(
        "XLNetModel", "XLNetConfig", {"d_model": 8, "n_layer": 2, "n_head": 2, "d_inner": 12, "vocab_size": 20}, tokens()
    ),
    "bigbird": Library(
        "BigBirdModel", "BigBirdConfig", {**_TEXT, "attention_type": "original_full", "max_position_embeddings": 16}, tokens(8)
    ),
    "opt": Library(
        "OPTForCausalLM",
        "OPTConfig",
        {
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "ffn_dim": 12,
            "vocab_size": 20,
            "max_position_embeddings": 16,
            "word_embed_proj_dim": 8,
            "use_cache": False,
        },
        tokens(),
    ),
    "bloom": Library(
        "BloomForCausalLM",
        "BloomConfig",
        {"hidden_size": 8, "n_layer": 2, "n_head": 2, "vocab_size": 20, "use_cache": False},
        tokens(),
    ),
    "gpt_neox": Library("GPTNeoXForCausalLM", "GPTNeoXConfig", {**_TEXT, "use_cache": False}, tokens()),
    "gptj": Library(
        "GPTJForCausalLM",
        "GPTJConfig",
        {
            "n_embd": 8,
            "n_layer": 2,
            "n_head": 2,
            "rotary_dim": 2,
            "vocab_size": 20,
            "n_positions": 16,
            "use_cache": False,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        tokens(),
    ),
    "gpt_neo": Library(
        "GPTNeoForCausalLM",
        "GPTNeoConfig",
        {
            "hidden_size": 8,
            "num_layers": 2,
            "attention_types": [[["global", "local"], 1]],
            "num_heads": 2,
            "vocab_size": 20,
            "max_position_embeddings": 16,
            "use_cache": False,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        tokens(),
    ),
    "falcon": Library(
        "FalconForCausalLM",
        "FalconConfig",
        {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 20, "use_cache": False},
        tokens(),
    ),
    "phi": Library("PhiForCausalLM", "PhiConfig", {**_LLAMA, "num_key_value_heads": 4}, tokens()),
    "gemma": Library("GemmaForCausalLM", "GemmaConfig", {**_LLAMA, "head_dim": 4}, tokens()),
    "gemma2": Library("Gemma2ForCausalLM", "Gemma2Config", {**_LLAMA, "head_dim": 4}, tokens()),
    "qwen2": Library("Qwen2ForCausalLM", "Qwen2Config", _LLAMA, tokens()),
    "qwen3": Library("Qwen3ForCausalLM", "Qwen3Config", {**_LLAMA, "head_dim": 4}, tokens()),
    "olmo2": Library("Olmo2ForCausalLM", "Olmo2Config", _LLAMA, tokens()),
    "starcoder2": Library("Starcoder2ForCausalLM", "Starcoder2Config", _LLAMA, tokens()),
    "mixtral": Library("MixtralForCausalLM", "MixtralConfig", {**_LLAMA, "num_local_experts": 3}, tokens()),
    "qwen2_moe": Library(
        "Qwen2MoeForCausalLM",
        "Qwen2MoeConfig",
        {**_LLAMA, "num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 6, "shared_expert_intermediate_size": 6},
        tokens(),
    ),
    "switch": Library(
        "SwitchTransformersForConditionalGeneration",
        "SwitchTransformersConfig",
        {
            "d_model": 8,
            "d_kv": 4,
            "d_ff": 12,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 2,
            "vocab_size": 20,
            "num_experts": 2,
            "use_cache": False,
        },
        tokens(decoder_input_ids=5),
    ),
    "mamba": Library(
        "MambaForCausalLM",
        "MambaConfig",
        {"hidden_size": 8, "state_size": 4, "num_hidden_layers": 2, "vocab_size": 20, "use_cache": False},
        tokens(),
    ),
    "bart": Library(
        "BartModel",
        "BartConfig",
        {
            "d_model": 8,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 12,
            "decoder_ffn_dim": 12,
            "vocab_size": 20,
            "max_position_embeddings": 16,
            "use_cache": False,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 2,
        },
        tokens(),
    ),
    "clip": Library(
        "CLIPModel",
        "CLIPConfig",
        {
            "text_config": {**_TEXT, "max_position_embeddings": 8, "eos_token_id": 2},
            "vision_config": {**_VISION, "image_size": 8, "patch_size": 4},
            "projection_dim": 6,
        },
        lambda: tokens()() | pixels()(),
    ),
    "deit": Library("DeiTModel", "DeiTConfig", {**_VISION, "image_size": 8, "patch_size": 4}, pixels()),
    "beit": Library("BeitModel", "BeitConfig", {**_VISION, "image_size": 8, "patch_size": 4}, pixels()),
    "dinov2": Library("Dinov2Model", "Dinov2Config", {**_VISION, "image_size": 8, "patch_size": 4}, pixels()),
    "swin": Library(
        "SwinModel",
        "SwinConfig",
        {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4},
        pixels(16),
    ),
    "swinv2": Library(
        "Swinv2Model",
        "Swinv2Config",
        {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4},
        pixels(16),
    ),
    "segformer": Library(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        {
            "hidden_sizes": [4, 8],
            "depths": [1, 1],
            "num_encoder_blocks": 2,
            "num_attention_heads": [1, 2],
            "sr_ratios": [2, 1],
            "patch_sizes": [3, 3],
            "strides": [2, 2],
            "mlp_ratios": [2, 2],
            "decoder_hidden_size": 8,
        },
        pixels(16),
    ),
    "mobilevit": Library(
        "MobileViTModel",
        "MobileViTConfig",
        {"image_size": 32, "hidden_sizes": [8, 8, 8], "neck_hidden_sizes": [4, 4, 8, 8, 8, 8, 8], "num_attention_heads": 2},
        pixels(32),
    ),
    "convnextv2": Library(
        "ConvNextV2Model", "ConvNextV2Config", {"hidden_sizes": [4, 8], "depths": [1, 1], "num_stages": 2}, pixels(16)
    ),
    "poolformer": Library(
        "PoolFormerModel", "PoolFormerConfig", {"hidden_sizes": [4, 8, 8, 8], "depths": [1, 1, 1, 1]}, pixels(32)
    ),
    "regnet": Library(
        "RegNetModel",
        "RegNetConfig",
        {"embedding_size": 4, "hidden_sizes": [4, 8, 8, 8], "depths": [1, 1, 1, 1], "groups_width": 2},
        pixels(32),
    ),
    "levit": Library(
        "LevitModel",
        "LevitConfig",
        {
            "image_size": 32,
            "hidden_sizes": [16, 16, 16],
            "num_attention_heads": [2, 2, 2],
            "depths": [1, 1, 1],
            "key_dim": [4, 4, 4],
        },
        pixels(32),
    ),
    "focalnet": Library(
        "FocalNetModel",
        "FocalNetConfig",
        {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "focal_levels": [2, 2], "focal_windows": [3, 3]},
        pixels(16),
    ),
    "perceiver": Library(
        "PerceiverModel",
        "PerceiverConfig",
        {
            "num_latents": 4,
            "d_latents": 8,
            "d_model": 6,
            "num_blocks": 1,
            "num_self_attends_per_block": 1,
            "num_self_attention_heads": 2,
            "num_cross_attention_heads": 2,
        },
        numbers("inputs", 5, 6),
    ),
    "wav2vec2": Library("Wav2Vec2Model", "Wav2Vec2Config", _SPEECH, numbers("input_values", 200)),
    "hubert": Library("HubertModel", "HubertConfig", _SPEECH, numbers("input_values", 200)),
    "detr": Library(
        "DetrModel",
        "DetrConfig",
        {
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone": None,
            "backbone_config": Backbone(
                "ResNetConfig",
                {
                    "embedding_size": 4,
                    "hidden_sizes": [4, 8],
                    "depths": [1, 1],
                    "layer_type": "basic",
                    "out_features": ["stage2"],
                },
            ),
            "d_model": 8,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 12,
            "decoder_ffn_dim": 12,
            "num_queries": 5,
        },
        pixels(32),
    ),
    "patchtst": Library(
        "PatchTSTModel",
        "PatchTSTConfig",
        {
            "num_input_channels": 2,
            "context_length": 16,
            "patch_length": 4,
            "patch_stride": 4,
            "d_model": 8,
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
            "ffn_dim": 12,
        },
        numbers("past_values", 16, 2),
    ),
    "vitmae": Library(
        "ViTMAEModel", "ViTMAEConfig", {**_VISION, "image_size": 8, "patch_size": 4}, lambda: pixels()() | numbers("noise", 4)()
    ),
    "layoutlm": Library(
        "LayoutLMModel", "LayoutLMConfig", {**_TEXT, "max_position_embeddings": 12, "max_2d_position_embeddings": 16}, tokens()
    ),
    "squeezebert": Library(
        "SqueezeBertModel",
        "SqueezeBertConfig",
        {
            **_TEXT,
            "embedding_size": 8,
            "q_groups": 2,
            "k_groups": 2,
            "v_groups": 2,
            "post_attention_groups": 1,
            "intermediate_groups": 2,
            "output_groups": 2,
        },
        tokens(),
    ),
    "fnet": Library("FNetModel", "FNetConfig", _TEXT, tokens()),
    "convbert": Library(
        "ConvBertModel", "ConvBertConfig", {**_TEXT, "embedding_size": 8, "head_ratio": 2, "conv_kernel_size": 3}, tokens()
    ),
    "roformer": Library("RoFormerModel", "RoFormerConfig", {**_TEXT, "embedding_size": 8}, tokens()),
    "yoso": Library("YosoModel", "YosoConfig", {**_TEXT, "use_expectation": True, "max_position_embeddings": 16}, tokens(8)),
    "canine": Library(
        "CanineModel",
        "CanineConfig",
        {
            **_VISION,
            "max_position_embeddings": 64,
            "num_hash_functions": 2,
            "num_hash_buckets": 16,
            "downsampling_rate": 2,
            "local_transformer_stride": 4,
        },
        tokens(16),
    ),
    "tapas": Library("TapasModel", "TapasConfig", {**_TEXT, "max_position_embeddings": 16}, tokens()),
}
