"""What similarity is made of: texts into vectors, pairs into scores, tables into best matches. Pure."""
