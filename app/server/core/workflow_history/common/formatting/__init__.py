"""How figures and texts are said to people, in a terminal or a page: values in, words out. Pure."""
