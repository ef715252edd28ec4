"""What W-asymmetry leaves of every model of the zoo, and why.

Half of every row is frozen. Factors that are left are those that no weight bears; ``leftover="freeze"`` takes them away, too.
"""

LEFT: dict[str, tuple[str, ...]] = {
    # The bias of a softmax classifier: its common part is not seen.
    "mlp_log_softmax": ("shift(1)",),
    "experts_listed": ("shift(1)",),
    # Running statistics move with biases and gains, none of which is frozen.
    "cnn_batchnorm_eval": ("shift(3)", "shift(4)", "shift(3)", "shift(4)", "scale(3)", "scale(4)", "scale(1)"),
    "cnn_batchnorm_train": ("shift(3)", "shift(4)"),
    "resnet_eval": (
        *("shift(4)", "shift(3)", "shift(2)", "shift(3)", "shift(2)", "shift(4)", "shift(4)", "scale(3)", "scale(3)"),
        *("scale(2)", "scale(2)", "scale(4)", "scale(4)", "scale(1)", "scale(1)", "scale(1)"),
    ),
    "densenet_batchnorm_eval": ("shift(2)", "shift(5)", "scale(2)", "scale(2)", "scale(3)", "scale(1)"),
    # Two biases that are added: of a block and of its shortcut, of two inputs.
    "resnet_train": ("shift(4)",),
    "two_inputs_two_outputs": ("shift(5)",),
    "linear_batchnorm_train": ("shift(5)",),
    "linear_batchnorm_train_eps0": ("shift(5)",),
    # A bias before a normalization: its mean (in every group) is not seen.
    "layer_norm": ("shift(1)",),
    "layer_norm_eps0": ("shift(1)",),
    "layer_norm_linear": ("shift(1)",),
    "group_norm": ("shift(3)",),
    "group_norm_eps0": ("shift(3)",),
    "instance_norm": ("shift(4)",),
    # The bias of keys: it adds the same to all scores of a query.
    "attention_bias": ("shift(6)",),
    "attention_fused_qkv": ("shift(6)",),
    "cross_attention": ("shift(6)",),
    # Gains of queries and keys, one against the other.
    "attention_qk_norm": ("scale(3)", "signs(3)"),
    # The common part of the gate's bias, before its softmax.
    "experts_stacked": ("shift(1)",),
    # The two biases of every gate.
    "rnn_tanh": ("shift(4)",),
    "lstm": ("shift(4)",) * 4,
    "gru": ("shift(4)",) * 2,
    "gru_cell": ("shift(4)",) * 2,
    "lstm_bidirectional": ("shift(3)",) * 8,
    "gru_bidirectional": ("shift(3)",) * 4,
    "lstm_stacked": ("shift(3)",) * 8,
    "gru_stacked": ("shift(3)",) * 4,
    # The gains of one layer against those of the next, and singular vectors, which are buffers.
    "weight_norm_both": ("signs(1)",),
    "spectral_norm": ("scale(1)", "signs(1)"),
}
"""Factors left by masks on weights alone, where there are any."""

SLOW = {
    *("vit", "gpt", "gpt_tied", "transformer_encoder", "transformer_encoder_norm_first"),
    *("gru", "lstm_bidirectional", "gru_bidirectional", "lstm_stacked", "gru_stacked"),
}
"""Models whose freezing takes more than two seconds."""

LONG = {"depthwise", "group_norm", "residual_mlp", "embedding_tied", "attention_bias", "cross_attention"}
"""Models whose count takes more than two seconds."""

PROVED = {
    "mlp_relu": (),
    "mlp_tanh": (),
    "mlp_gelu": (),
    "mlp_log_softmax": (),
    "residual_mlp": (),
    "two_inputs_two_outputs": (),
    "depthwise": (),
    "layer_norm": (),
    "group_norm": (),
    "swiglu": (),
    "max_out": (),
    "attention": (),
    "attention_bias": (),
    "attention_fused_qkv": (),
    "attention_qk_norm": (),
    "attention_grouped_query": (),
    "cross_attention": (),
    "embedding_tied": (),
    "graph_convolution": (),
    # Only linear maps: the function has 15 numbers, and a network of 34 trainable ones must have 19 freedoms more.
    # They depend on the point, so that no group acts by them.
    "mlp_identity": ("unexplained",),
}
"""Models whose null directions are counted, and what is left but for entries that are frozen."""
