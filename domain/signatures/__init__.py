"""What a class offers and what a slot asks for, read from source without importing any of it.

`extraction` reads, `matching` compares, `difference` proposes the next version number. What is
not understood is left unchecked, never guessed.
"""
