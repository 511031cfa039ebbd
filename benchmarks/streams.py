"""Generate an agent's stream as `--output-format stream-json` writes it."""

from __future__ import annotations

from random import Random

from .filler import COMMANDS, filler, paths, picture
from .spending import Tokens, dollars
from .texts import THINGS, VERBS

_INIT = (
    b'{"type":"system","subtype":"init","cwd":"/srv/shop","session_id":"%s","tools":["Task","Bash","Glob",'
    b'"Grep","Read","Edit","Write","TodoWrite","Skill","WebFetch"],"mcp_servers":[],"model":"%s",'
    b'"permissionMode":"bypassPermissions","slash_commands":[%s],"apiKeySource":"none",'
    b'"claude_code_version":"2.0.60","output_style":"default","agents":["general-purpose","Explore"],'
    b'"skills":[],"plugins":[],"uuid":"%s"}\n'
)
_SLASH_COMMANDS = b",".join(
    b'"%s_%s"' % (v.encode(), t.encode()) for v, t in zip(VERBS, THINGS, strict=False)
)
_ASSISTANT = (
    b'{"type":"assistant","message":{"model":"%s","id":"%s","type":"message","role":"assistant",'
    b'"content":[%s],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,'
    b'"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation":'
    b'{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":0},"output_tokens":%d,'
    b'"service_tier":"standard"},"context_management":null},"parent_tool_use_id":null,'
    b'"session_id":"%s","uuid":"%s"}\n'
)
_USER = (
    b'{"type":"user","message":{"role":"user","content":[{"tool_use_id":"%s","type":"tool_result",'
    b'"content":"%s"%s}]},"parent_tool_use_id":null,"session_id":"%s","uuid":"%s","tool_use_result":%s}\n'
)
_IMAGE = (
    b'{"type":"user","message":{"role":"user","content":[{"tool_use_id":"%s","type":"tool_result",'
    b'"content":[{"type":"image","source":{"type":"base64","data":"%s","media_type":"image/png"}}]}]},'
    b'"parent_tool_use_id":null,"session_id":"%s","uuid":"%s","tool_use_result":{"type":"image"}}\n'
)
_RESULT = (
    b'{"type":"result","subtype":"success","is_error":%s,"duration_ms":%d,"duration_api_ms":%d,'
    b'"num_turns":%d,"result":"%s","session_id":"%s","total_cost_usd":%s,"usage":{"input_tokens":%d,'
    b'"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d,"server_tool_use":'
    b'{"web_search_requests":0,"web_fetch_requests":0},"service_tier":"standard","cache_creation":'
    b'{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":%d}},"modelUsage":{%s},'
    b'"permission_denials":[],"uuid":"%s"}\n'
)
_MODEL_USAGE = (
    b'"%s":{"inputTokens":%d,"outputTokens":%d,"cacheReadInputTokens":%d,"cacheCreationInputTokens":%d,'
    b'"webSearchRequests":0,"costUSD":%s,"contextWindow":200000}'
)
_TOOLS = {"Read": 76, "Bash": 74, "TodoWrite": 25, "Glob": 22, "Edit": 21, "Write": 10, "Grep": 8}
_HELPER = "claude-haiku-4-5-20251001"


def uuid(chance: Random) -> bytes:
    """Return a random id in UUID format."""
    word = b"%032x" % chance.getrandbits(128)
    return b"-".join((word[:8], word[8:12], word[12:16], word[16:20], word[20:]))


def _spaced(line: bytes) -> bytes:
    """Return a template with spaces after commas and colons, as json.dumps writes them."""
    return line.replace(b'":', b'": ').replace(b',"', b', "')


class Stream:
    """A stream under construction, with running totals of its tokens and cost."""

    def __init__(self, chance: Random, *, model: str, helper: bool, spaced: bool = False) -> None:
        self.chance = chance
        self.parts: list[bytes] = []
        self.size = 0
        self.model = model
        self.seconds = 0.0  # duration since the last result line
        self.tokens: dict[str, Tokens] = {model: Tokens()}
        if helper:
            count = chance.randint(200, 2000)
            self.tokens[_HELPER] = Tokens(count, count // 8, 0, 0)
        self.shown = Tokens()  # usage shown in the message lines, counted once per message
        self.reported = 0  # nanodollars reported by the last result line
        self._segment = Tokens()
        self._turns = 0
        self._context = 12_000
        self._session = uuid(chance)
        self._style = _spaced if spaced else bytes
        self._name = model.encode()
        self._put(self._style(_INIT) % (self._session, self._name, _SLASH_COMMANDS, uuid(chance)))

    @property
    def main(self) -> Tokens:
        """Tokens of the main thread's model."""
        return self.tokens[self.model]

    @property
    def all_tokens(self) -> Tokens:
        """Tokens of all models."""
        return sum(self.tokens.values(), Tokens())

    def take(self) -> bytes:
        """Return the lines written since the last call."""
        lines = b"".join(self.parts)
        self.parts.clear()
        return lines

    def fill(self, size: int) -> None:
        """Write turns until the stream has about `size` bytes."""
        while self.size < size:
            self._turn(size - self.size)

    def picture(self, data: bytes | None = None) -> None:
        """Write a turn whose tool output is a screenshot."""
        tool = self._call(b"Bash", b'{"command":"shot --full"}')
        line = self._style(_IMAGE)
        self._put(line % (tool, data or picture(), self._session, uuid(self.chance)))

    def finish(self, answer: str = "Done.", *, error: bool = False) -> None:
        """Write a result line: costs and models are totals of the process, the rest is of this segment."""
        models = b",".join(
            self._style(_MODEL_USAGE)
            % (
                name.encode(),
                spent.input,
                spent.output,
                spent.cache_read,
                spent.cache_write,
                dollars(spent.nanodollars(name)),
            )
            for name, spent in self.tokens.items()
        )
        self.reported = sum(spent.nanodollars(name) for name, spent in self.tokens.items())
        part, milliseconds = self._segment, round(self.seconds * 1000)
        self._put(
            self._style(_RESULT)
            % (
                b"true" if error else b"false",
                milliseconds,
                milliseconds * 9 // 10,
                self._turns,
                answer.encode(),
                self._session,
                dollars(self.reported),
                part.input,
                part.cache_write,
                part.cache_read,
                part.output,
                part.cache_write,
                models,
                uuid(self.chance),
            )
        )
        self._segment, self._turns, self.seconds = Tokens(), 0, 0.0

    def _turn(self, room: int) -> None:
        """Write one message with one, two or four tool calls, and their outputs."""
        chance = self.chance
        lines = [self._text_block()] if chance.random() < 0.45 else []
        calls = [self._tool_block() for _ in range(chance.choices((1, 2, 4), (6, 3, 1))[0])]
        self._message([*lines, *(block for block, _, _ in calls)])
        for _, name, tool in calls:
            self._output(name, tool, room)

    def _call(self, name: bytes, given: bytes) -> bytes:
        tool = b"toolu_01%022x" % self.chance.getrandbits(88)
        self._message([b'{"type":"tool_use","id":"%s","name":"%s","input":%s}' % (tool, name, given)])
        return tool

    def _message(self, blocks: list[bytes]) -> None:
        """Write a message as one line per block, each with its usage; it understates the output tokens."""
        chance = self.chance
        name = b"msg_01%022x" % chance.getrandbits(88)
        fresh, written, read = chance.randint(2, 9), chance.randint(200, 3000), self._context
        shown, true = chance.randint(1, 8), chance.randint(60, 900)
        line = self._style(_ASSISTANT)
        for block in blocks:
            self._put(
                line
                % (self._name, name, block, fresh, written, read, written, shown, self._session, uuid(chance))
            )
        spent = Tokens(fresh, true, read, written)
        self.tokens[self.model] = self.main + spent
        self._segment += spent
        self.shown += Tokens(fresh, shown, read, written)
        self._context = min(self._context + written, 150_000)
        self._turns += 1
        self.seconds += 4 + chance.random() * 14

    def _text_block(self) -> bytes:
        verb, thing, other = self.chance.choice(VERBS), self.chance.choice(THINGS), self.chance.choice(THINGS)
        text = (
            f'I\'ll {verb} the {thing} now. The {other} is already there, it only needs \\"{verb}\\" '
            f"before the {thing} can use it.\\n\\nNext: the tests of the {other}."
        )
        return b'{"type":"text","text":"%s"}' % text.encode()

    def _tool_block(self) -> tuple[bytes, str, bytes]:
        chance = self.chance
        name = chance.choices(list(_TOOLS), list(_TOOLS.values()))[0]
        tool = b"toolu_01%022x" % chance.getrandbits(88)
        block = b'{"type":"tool_use","id":"%s","name":"%s","input":%s}' % (
            tool,
            name.encode(),
            self._input(name),
        )
        return block, name, tool

    def _input(self, name: str) -> bytes:
        chance = self.chance
        path = chance.choice(paths()).encode()
        if name == "Bash":
            command = chance.choice(COMMANDS)
            return b'{"command":"%s","description":"Run it"}' % command.encode()
        if name in ("Glob", "Grep"):
            return b'{"pattern":"**/*%s*"}' % chance.choice(THINGS).encode()
        if name == "TodoWrite":
            items = b",".join(
                b'{"content":"%s the %s","status":"pending","activeForm":"Working"}'
                % (chance.choice(VERBS).encode(), chance.choice(THINGS).encode())
                for _ in range(chance.randint(3, 8))
            )
            return b'{"todos":[%s]}' % items
        if name == "Read":
            return b'{"file_path":"%s"}' % path
        _, text, _ = filler().piece(chance, chance.randint(200, 2400))
        if name == "Write":
            return b'{"file_path":"%s","content":"%s"}' % (path, text)
        return b'{"file_path":"%s","old_string":"%s","new_string":"%s"}' % (
            path,
            text[: text.find(b"\\n")],
            text,
        )

    def _output(self, name: str, tool: bytes, room: int) -> None:
        chance = self.chance
        long = chance.random() < (0.6 if name == "Read" else 0.25)
        size = chance.randint(1500, 19_000) if long else chance.randint(60, 1500)
        numbered, bare, count = filler().piece(chance, min(size, max(room // 2, 60)))
        failed = name == "Bash" and chance.random() < 0.05
        flag = b',"is_error":true' if failed else b',"is_error":false' if name == "Bash" else b""
        told = numbered if name == "Read" else bare
        if failed:
            detail = b'"Error: %s"' % bare
        elif name == "Bash":
            detail = b'{"stdout":"%s","stderr":"","interrupted":false,"isImage":false}' % bare
        else:
            detail = (
                b'{"type":"text","file":{"filePath":"%s","content":"%s","numLines":%d,"startLine":1,'
                b'"totalLines":%d}}' % (chance.choice(paths()).encode(), bare, count, count)
            )
        self._put(self._style(_USER) % (tool, told, flag, self._session, uuid(chance), detail))

    def _put(self, line: bytes) -> None:
        self.parts.append(line)
        self.size += len(line)
