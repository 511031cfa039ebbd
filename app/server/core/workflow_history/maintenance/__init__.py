"""Care of a history: merging, backing up, pruning and making it smaller; one file each."""
