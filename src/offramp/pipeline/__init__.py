"""The whole way from a trained network and samples to a folder that ships."""
