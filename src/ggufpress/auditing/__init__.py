"""Does a GGUF file, whoever made it with llama.cpp, come from this source? Nothing is written, nothing is believed."""
