"""Transformers that end up inside packaged pipelines. Their import paths are frozen: old packages name them."""
