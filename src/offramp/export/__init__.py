"""From a graph to a file; each format is a module of its own: `from offramp.export import onnx`."""
