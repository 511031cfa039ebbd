"""Parse a shell command line into its simple commands, each a tuple of words. Nothing is run or expanded.

Quotes, here-documents, comments, redirections and `$(...)` are parsed as a shell does. Malformed text
(an open quote, a truncated here-document) is parsed to its end; nothing raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_TEXT = 8000  # characters of a command that are parsed
MAX_DEPTH = 8  # nested substitutions; deeper ones are skipped entirely

_PLAIN_TEXT = re.compile(r"[^\s\\'\"`$<>&|;()#]+")
_DOUBLE_QUOTED_TEXT = re.compile(r"[^\"\\$`]+")
_SINGLE_QUOTED = re.compile(r"'([^']*)'?")
_ANSI_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*)'?", re.DOTALL)
_BACKTICKS = re.compile(r"`(?:[^`\\]|\\.)*`?", re.DOTALL)
_COMMENT = re.compile(r"#[^\n]*")
_INPUT_OPERATOR = re.compile(r"<<<|<<-?|<[&>]?")
_OUTPUT_OPERATOR = re.compile(r"&>>?|>[>&|]?")
_SEPARATOR = re.compile(r"&&?|\|[|&]?|;+&?")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str  # quotes removed, substitutions unchanged
    quoted: bool = False  # whether any part of it was in quotes
    substitutions: tuple[Command, ...] = ()  # the commands of its `$(...)`
    piped: bool = False  # whether it is the first word of a command that reads a pipe


Command = tuple[Word, ...]


def simple_commands(text: str) -> list[Command]:
    """Return the simple commands of a command line, in order.

    >>> [[word.text for word in command] for command in simple_commands("cd x && git tag -m 'a && b' >log")]
    [['cd', 'x'], ['git', 'tag', '-m', 'a && b']]
    """
    return _Scanner(text[:MAX_TEXT]).commands(0)


@dataclass(slots=True)
class _ParserLevel:
    """Parser state of one level of parentheses."""

    commands: list[Command] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    pieces: list[str] | None = None  # of the word being read; None between words
    quoted: bool = False
    inner: list[Command] = field(default_factory=list)  # commands of the word's substitutions
    expects: str = ""  # role of the next word: "", "target" of a redirection, "<<" or "<<-"
    heredocs: list[tuple[str, bool]] = field(default_factory=list)  # delimiter, are leading tabs dropped
    open: int = 0  # number of open subshell parentheses
    piped: bool = False  # whether the command being read follows a pipe

    def add(self, text: str, *, quoted: bool = False) -> None:
        """Append text to the word being read."""
        if self.pieces is None:
            self.pieces = []
        self.pieces.append(text)
        self.quoted |= quoted

    def end_word(self) -> None:
        """Finish the word being read, and add it to the command or to the here-document delimiters."""
        if self.pieces is None:
            return
        piped = self.piped and not self.words
        word = Word("".join(self.pieces), self.quoted, tuple(self.inner), piped)
        if self.expects.startswith("<<"):
            self.heredocs.append((word.text, self.expects == "<<-"))
        elif not self.expects:
            self.words.append(word)
        self.drop_word()
        self.expects = ""

    def drop_word(self) -> None:
        """Discard the word being read."""
        self.pieces, self.quoted, self.inner = None, False, []

    def end_command(self, separator: str = "") -> None:
        """Finish the command being read."""
        self.end_word()
        if self.words:
            self.commands.append(tuple(self.words))
        elif self.piped and not separator:
            return  # a line break after a pipe: the command follows on the next line
        self.words, self.expects, self.piped = [], "", separator in ("|", "|&")


class _Scanner:
    """Scanner over a text, forward only."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def commands(self, depth: int) -> list[Command]:
        """Parse to the end of the text, or past the parenthesis that closes this depth."""
        level = _ParserLevel()
        while self.position < len(self.text):
            if depth and not level.open and self.text[self.position] == ")":
                self.position += 1
                break
            self._parse_token(level, depth)
        level.end_command()
        return level.commands

    def _parse_token(self, level: _ParserLevel, depth: int) -> None:
        """Parse the next token: a piece of a word, or a separator."""
        char = self.text[self.position]
        if text := self._take(_PLAIN_TEXT):
            level.add(text)
        elif char.isspace():
            self._parse_space(level, char)
        elif char in "'\"\\`$":
            self._parse_word_piece(level, char, depth)
        elif char == "#" and level.pieces is None:
            self._take(_COMMENT)
        elif char in "<>" or self.text.startswith("&>", self.position):
            self._parse_redirection(level, depth)
        elif char in "()":
            self._parse_parenthesis(level, char)
        elif separator := self._take(_SEPARATOR):
            level.end_command(separator)
        else:
            self._add_character(level)

    def _take(self, pattern: re.Pattern[str]) -> str:
        """Return the match of a pattern at this position, and move past it; empty if there is none."""
        match = pattern.match(self.text, self.position)
        if not match:
            return ""
        self.position = match.end()
        return match.group()

    def _add_character(self, level: _ParserLevel) -> None:
        level.add(self.text[self.position])
        self.position += 1

    def _parse_space(self, level: _ParserLevel, char: str) -> None:
        """End the word; at a line break also the command, and skip the here-documents that follow."""
        self.position += 1
        if char != "\n":
            level.end_word()
            return
        level.end_command()
        for delimiter, tabs in level.heredocs:
            self._skip_heredoc(delimiter, tabs=tabs)
        level.heredocs = []

    def _skip_heredoc(self, delimiter: str, *, tabs: bool) -> None:
        while self.position < len(self.text):
            end = self.text.find("\n", self.position)
            line = self.text[self.position : end if end >= 0 else len(self.text)]
            self.position += len(line) + 1
            if (line.lstrip("\t") if tabs else line).rstrip("\r") == delimiter:
                return

    def _parse_word_piece(self, level: _ParserLevel, char: str, depth: int) -> None:
        """Parse a quoted, escaped or substituted piece of a word."""
        if char == "'":
            level.add(self._take(_SINGLE_QUOTED).strip("'"), quoted=True)
        elif char == '"':
            self._parse_double_quotes(level, depth)
        elif char == "`":
            level.add(self._take(_BACKTICKS), quoted=True)
        elif char == "\\":
            self._parse_escape(level)
        elif found := self._take(_ANSI_QUOTED):
            level.add(found[2:].rstrip("'"), quoted=True)
        else:
            self._parse_dollar(level, depth)

    def _parse_escape(self, level: _ParserLevel) -> None:
        """Append the escaped character; an escaped line break is dropped."""
        following = self.text[self.position + 1 : self.position + 2]
        if following != "\n":
            level.add(following)
        self.position += 2

    def _parse_double_quotes(self, level: _ParserLevel, depth: int) -> None:
        level.add("", quoted=True)
        self.position += 1
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == '"':
                self.position += 1
                return
            if text := self._take(_DOUBLE_QUOTED_TEXT):
                level.add(text)
            elif char == "\\":
                self._parse_escape(level)
            elif char == "`":
                level.add(self._take(_BACKTICKS))
            else:
                self._parse_dollar(level, depth)

    def _parse_dollar(self, level: _ParserLevel, depth: int) -> None:
        """Parse `$(...)`, `$((...))`, `${...}`, or a literal `$`."""
        if self.text.startswith("$((", self.position):
            level.add(self._take_balanced("(", ")"))
        elif self.text.startswith("$(", self.position):
            self._parse_substitution(level, depth)
        elif self.text.startswith("${", self.position):
            level.add(self._take_balanced("{", "}"))
        else:
            self._add_character(level)

    def _parse_substitution(self, level: _ParserLevel, depth: int) -> None:
        """Parse `$(...)`, `<(...)` or `>(...)` with the commands inside."""
        start = self.position
        if depth >= MAX_DEPTH:
            level.add(self._take_balanced("(", ")"))
            return
        self.position += 2
        inner = self.commands(depth + 1)
        level.add(self.text[start : self.position])
        level.inner += inner

    def _take_balanced(self, opening: str, closing: str) -> str:
        """Move past the bracket that closes the next opening one, and return the text up to it."""
        start, depth = self.position, 0
        while self.position < len(self.text):
            char = self.text[self.position]
            self.position += 1
            depth += (char == opening) - (char == closing)
            if char == closing and depth <= 0:
                break
        return self.text[start : self.position]

    def _parse_redirection(self, level: _ParserLevel, depth: int) -> None:
        """Skip a redirection, its number before and its target after; note a here-document."""
        if self.text[self.position + 1 : self.position + 2] == "(":
            self._parse_substitution(level, depth)
            return
        if level.pieces and not level.quoted and "".join(level.pieces).isdigit():
            level.drop_word()
        level.end_word()
        operator = self._take(_INPUT_OPERATOR) or self._take(_OUTPUT_OPERATOR)
        level.expects = operator if operator in ("<<", "<<-") else "target"

    def _parse_parenthesis(self, level: _ParserLevel, char: str) -> None:
        """Distinguish a subshell from a function definition, an array, arithmetic and a pattern of `case`."""
        if char == ")":
            if not level.open:
                level.words = []
                level.drop_word()
            level.open = max(level.open - 1, 0)
        elif self.text.startswith("()", self.position):
            level.words = []
            level.drop_word()
            self.position += 1
        elif level.pieces or self.text.startswith("((", self.position):
            level.add(self._take_balanced("(", ")"))
            return
        else:
            level.open += 1
        self.position += 1
        level.end_command()
