"""The rules of the house as tests: layers, purity, order, length, words. Every rule convicts a bad snippet."""
