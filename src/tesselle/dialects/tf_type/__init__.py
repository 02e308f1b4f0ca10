"""Types of TensorFlow's values that are no numbers: `!tf_type.variant`, `!tf_type.resource`, `!tf_type.string`."""
