"""Generate tool results: a step and a size in, the user line of a stream out. Pure, given a random source."""

import base64
from collections.abc import Callable

from .filler import generate_text, numbered
from .lines import PROJECT_PATH, Line, Session, tool_result_content, tool_result_line
from .scripts import ToolStep

# A line contains its result twice, once for the model and once as the CLI's own record of the call.
_COPIES = {"Bash": 2.05, "Read": 2.3, "Grep": 1.15}


def step_result_line(session: Session, tool_id: str, step: ToolStep, size: int) -> Line:
    """Return the result line of `step`; `size` is its approximate maximum length in characters."""
    length = max(80, int(size / _COPIES.get(step.tool, 1.0)))
    text = generate_text(session.source, step.filler, length) if step.filler else step.output
    return _RESULT_LINES[step.tool](session, tool_id, step, text)


def image_line(session: Session, tool_id: str, path: str, size: int) -> Line:
    """Return the result line of reading a screenshot of `size` bytes, which contains its base64 twice."""
    data = base64.b64encode(session.source.randbytes(size)).decode("ascii")
    source = {"type": "base64", "data": data, "media_type": "image/png"}
    content = tool_result_content(tool_id, [{"type": "image", "source": source}])
    record = {"base64": data, "type": "image/png", "originalSize": size, "path": path}
    return tool_result_line(session, content, {"type": "image", "file": record})


def _bash_line(session: Session, tool_id: str, step: ToolStep, text: str) -> Line:
    if step.failed:
        error = f"Exit code 1\n{text}"
        return tool_result_line(session, tool_result_content(tool_id, error, failed=True), f"Error: {error}")
    record = {"stdout": text, "stderr": "", "interrupted": False, "isImage": False}
    return tool_result_line(session, tool_result_content(tool_id, text, failed=False), record)


def _read_line(session: Session, tool_id: str, step: ToolStep, text: str) -> Line:
    count = text.count("\n") + 1
    path = f"{PROJECT_PATH}/{step.arguments['file_path']}"
    file = {"filePath": path, "content": text, "numLines": count, "startLine": 1, "totalLines": count}
    return tool_result_line(
        session, tool_result_content(tool_id, numbered(text)), {"type": "text", "file": file}
    )


def _grep_line(session: Session, tool_id: str, _step: ToolStep, text: str) -> Line:
    record = {"mode": "content", "numFiles": 0, "filenames": [], "numLines": text.count("\n") + 1}
    return tool_result_line(session, tool_result_content(tool_id, text), record)


def _edit_line(session: Session, tool_id: str, step: ToolStep, _text: str) -> Line:
    path, old, new = (step.arguments[key] for key in ("file_path", "old_string", "new_string"))
    if step.failed:
        error = f"<tool_use_error>String to replace not found in file.\nString: {old}</tool_use_error>"
        return tool_result_line(session, tool_result_content(tool_id, error, failed=True), f"Error: {error}")
    record = {"filePath": path, "oldString": old, "newString": new, "originalFile": None}
    patch = [{"oldStart": 7, "oldLines": 1, "newStart": 7, "newLines": 1, "lines": [f"-{old}", f"+{new}"]}]
    content = tool_result_content(tool_id, f"The file {path} has been updated.")
    return tool_result_line(session, content, {**record, "structuredPatch": patch, "replaceAll": False})


def _write_line(session: Session, tool_id: str, step: ToolStep, _text: str) -> Line:
    path = step.arguments["file_path"]
    record = {"type": "create", "filePath": path, "content": step.arguments["content"], "structuredPatch": []}
    return tool_result_line(
        session, tool_result_content(tool_id, f"File created successfully at: {path}"), record
    )


def _todo_line(session: Session, tool_id: str, step: ToolStep, _text: str) -> Line:
    record = {"oldTodos": [], "newTodos": step.arguments["todos"]}
    return tool_result_line(
        session, tool_result_content(tool_id, "Todos have been modified successfully."), record
    )


_RESULT_LINES: dict[str, Callable[[Session, str, ToolStep, str], Line]] = {
    "Bash": _bash_line,
    "Read": _read_line,
    "Grep": _grep_line,
    "Edit": _edit_line,
    "Write": _write_line,
    "TodoWrite": _todo_line,
}
