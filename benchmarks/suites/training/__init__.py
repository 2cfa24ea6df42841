"""What training on a data set brings."""
