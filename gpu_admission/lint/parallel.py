"""Judging inputs in one process, or in several where there is enough to read.

The outcomes are in the order of the inputs, regardless of the number of processes.
"""

from __future__ import annotations

import os

from gpu_admission import rules

from . import file_linter as judging
from .inputs import UnreadableInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import ProcessPoolExecutor

    from .file_linter import FileLinter, FileResult, LintOptions
    from .inputs import Input

ENOUGH = 5_000_000  # bytes: below that, starting processes costs more than they save
_CHUNKS = 8  # for each process, so that a slow file does not delay the others
_MOST_FILES = 200  # in a chunk, so that progress is visible

_linter: FileLinter  # of a worker process


def run(inputs: Sequence[Input], settings: LintOptions, jobs: int | None) -> Iterator[FileResult]:
    """Yield the result of each input, in their order. ``jobs`` None means one process per core."""
    enough = sum(source.size for source in inputs) >= ENOUGH
    jobs = min(jobs or cores(), len(inputs)) if enough else 1
    if jobs > 1:
        yield from _in_parallel(inputs, settings, jobs)
        return
    one = judging.FileLinter(settings)
    for source in inputs:
        yield handle(one, source)


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def handle(judge: FileLinter, source: Input) -> FileResult:
    """Return the result of one input. A bug of ours affects only that input."""
    try:
        data = source.read()
        if judge.settings.mode == "judge":
            return judge.judge(source, data)[0]
        from . import fixes  # noqa: PLC0415 - start-up time: needed only for repairs

        return fixes.handle(judge, source, data)
    except UnreadableInputError as error:
        return judging.failed(source, str(error))
    except Exception as error:  # noqa: BLE001 - the other inputs must still be judged
        return judging.failed(source, f"gpu-lint failed here, please report it: {_bug(error)}")


def _bug(error: Exception) -> str:
    """Return one line that locates a bug of ours."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
    return f"{type(error).__name__}{place}: {str(error)[:200]}"


def _in_parallel(inputs: Sequence[Input], settings: LintOptions, jobs: int) -> Iterator[FileResult]:
    chunks = _chunks(inputs, jobs)
    rules.load_all()  # once, for all processes that are forked from this one
    with _executor(settings, jobs) as executor:
        futures = [executor.submit(_chunk, chunk) for chunk in chunks]
        try:
            for chunk, future in zip(chunks, futures, strict=True):
                error = future.exception()
                if error is None:
                    yield from future.result()
                else:
                    yield from _one_by_one(chunk, settings, error)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _one_by_one(chunk: Sequence[Input], settings: LintOptions, error: BaseException) -> Iterator[FileResult]:
    """Judge the inputs of a chunk whose process died, each in a separate process that may die in turn."""
    for source in chunk:
        with _executor(settings, 1) as executor:
            future = executor.submit(_chunk, [source])
            error = future.exception() or error
            if future.exception() is None:
                yield from future.result()
            else:
                yield judging.failed(source, f"the process that read it died ({type(error).__name__})")


def _executor(settings: LintOptions, jobs: int) -> ProcessPoolExecutor:
    import multiprocessing  # noqa: PLC0415 - see ENOUGH
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(settings,))


def _begin(settings: LintOptions) -> None:
    """Prepare a worker: an interrupt from the keyboard is handled by the parent."""
    import signal  # noqa: PLC0415

    global _linter  # noqa: PLW0603 - one for each process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _linter = judging.FileLinter(settings)


def _chunk(inputs: Sequence[Input]) -> list[FileResult]:
    return [handle(_linter, source) for source in inputs]


def _chunks(inputs: Sequence[Input], jobs: int) -> list[list[Input]]:
    """Divide the inputs, in their order, into parts of about the same size in bytes."""
    most = sum(source.size for source in inputs) // (jobs * _CHUNKS) + 1
    chunks: list[list[Input]] = [[]]
    size = 0
    for source in inputs:
        if chunks[-1] and (size + source.size > most or len(chunks[-1]) >= _MOST_FILES):
            chunks.append([])
            size = 0
        chunks[-1].append(source)
        size += source.size
    return chunks
