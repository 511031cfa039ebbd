"""What runs cost: prices of models, and the usage they are applied to."""
