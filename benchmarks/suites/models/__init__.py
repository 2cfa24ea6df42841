"""What pipelines find, on public and on everyday texts."""
