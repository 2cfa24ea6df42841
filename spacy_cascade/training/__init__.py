"""Fine-tuning: objectives, augmentation, checkpoints and the registered loops."""
