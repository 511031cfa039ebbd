"""Layout of the command output as pure functions: results and a width in, Rich renderables out."""
