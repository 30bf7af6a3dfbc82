"""Convolution with channel groups, one family of algorithms a file."""
