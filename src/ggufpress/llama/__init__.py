"""llama.cpp itself, through the C functions of a shared library that is already installed: an optional extra.

    pip install "ggufpress[run]"     brings xllamacpp, whose module holds the whole of llama.cpp

Which library is opened does not matter to the rest: $GGUFPRESS_LLAMA (a file), xllamacpp, or llama-cpp-python.
"""
