"""The live part of a server: an agents folder that is followed in, a history kept up to date and events out.

`following` sees changes, `syncer` has them synced by a process of its own (`worker`, and `apart` inside it),
`marks` sees that the history changed, and `hub` tells the pages. `assembly` puts them together.
"""
