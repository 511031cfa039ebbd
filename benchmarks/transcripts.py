"""Generate Claude Code's native transcripts, in the layout that ccusage reads."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from .filler import filler
from .spending import RATES, Tokens
from .streams import uuid
from .texts import THINGS

_COMMON = (
    b'{"parentUuid":"%s","isSidechain":false,"userType":"external","cwd":"/srv/shop","sessionId":"%s",'
    b'"version":"2.0.60","gitBranch":"main",'
)
_ASSISTANT = _COMMON + (
    b'"type":"assistant","message":{"model":"%s","id":"%s","type":"message","role":"assistant",'
    b'"content":[{"type":"tool_use","id":"%s","name":"Read","input":{"file_path":"/srv/shop/app/%s.py"}}],'
    b'"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":%d,'
    b'"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation":'
    b'{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":0},"output_tokens":%d,'
    b'"service_tier":"standard"}},"requestId":"%s","uuid":"%s","timestamp":"%s"}\n'
)
_USER = _COMMON + (
    b'"type":"user","message":{"role":"user","content":[{"tool_use_id":"%s","type":"tool_result",'
    b'"content":"%s"}]},"uuid":"%s","timestamp":"%s","toolUseResult":{"type":"text","file":'
    b'{"filePath":"/srv/shop/app/%s.py","content":"%s","numLines":%d,"startLine":1,"totalLines":%d}}}\n'
)
_EPOCH = 1_764_576_000


def make_transcripts(root: Path, size: int, *, each: int = 240_000, seed: int = 7) -> Tokens:
    """Write about `size` bytes below `root`/projects; return the tokens, each message counted once."""
    pieces = [(str(root), each, seed, number) for number in range(max(1, size // each))]
    if size < 64_000_000:
        return sum(map(_session, pieces), Tokens())
    with ProcessPoolExecutor() as pool:
        return sum(pool.map(_session, pieces, chunksize=64), Tokens())


def _session(piece: tuple[str, int, int, int]) -> Tokens:
    root, size, seed, number = piece
    chance = Random(f"{seed}/transcript/{number}")
    session = uuid(chance)
    folder = Path(root) / "projects" / f"-srv-shop-{number % 20}"
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[bytes] = []
    length, spent, clock = 0, Tokens(), _EPOCH + number * 900.0
    model = chance.choice(list(RATES)).encode()
    while length < size:
        clock += 5 + chance.random() * 20
        new, tokens = _turn(chance, session, model, clock)
        lines += new
        length += sum(map(len, new))
        spent += tokens
    (folder / f"{session.decode()}.jsonl").write_bytes(b"".join(lines))
    return spent


def _turn(chance: Random, session: bytes, model: bytes, clock: float) -> tuple[list[bytes], Tokens]:
    """Return the lines of a message, repeated up to three times, and of its tool output, with its tokens."""
    stamp = datetime.fromtimestamp(clock, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    when = stamp.encode()
    message, request = b"msg_01%022x" % chance.getrandbits(88), b"req_011%021x" % chance.getrandbits(84)
    tool, thing = b"toolu_01%022x" % chance.getrandbits(88), chance.choice(THINGS).encode()
    spent = Tokens(
        chance.randint(2, 9), chance.randint(60, 900), chance.randint(9000, 99_000), chance.randint(200, 3000)
    )
    lines = [
        _ASSISTANT
        % (
            uuid(chance), session, model, message, tool, thing, spent.input, spent.cache_write,
            spent.cache_read, spent.cache_write, spent.output, request, uuid(chance), when,
        )
        for _ in range(chance.choices((1, 2, 3), (6, 3, 1))[0])
    ]  # fmt: skip
    long = chance.random() < 0.4
    numbered, bare, count = filler().piece(
        chance, chance.randint(1500, 19_000) if long else chance.randint(60, 1500)
    )
    lines.append(
        _USER % (uuid(chance), session, tool, numbered, uuid(chance), when, thing, bare, count, count)
    )
    return lines, spent
