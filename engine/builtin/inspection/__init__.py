"""A look at files before a training: base models, LoRAs and embeddings, judged by headers, configs and weights.

No torch: the process that checks a config starts in a moment, also beside a training.
"""
