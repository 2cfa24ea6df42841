"""Fine-tuning: settings, data, the loop, checkpoints and dev scores."""
