"""Private names of gunicorn that the server builds on: a release that changes one fails here, not in a cluster."""

import inspect
import signal

import gunicorn
import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gasgi import ASGIWorker

from gpu_admission.webhook.server.server import GracefulShutdown
from gpu_admission.webhook.server.worker import ReviewWorker


def test_the_release_that_was_looked_at():
    assert gunicorn.version_info[:1] == (27,)


def test_the_worker_runs_what_we_override():
    assert inspect.iscoroutinefunction(ASGIWorker._serve)
    assert "self._serve()" in inspect.getsource(ASGIWorker.run)
    assert inspect.iscoroutinefunction(ReviewWorker._serve)


@pytest.mark.parametrize("name", ["handle_exit_signal", "handle_quit_signal"])
def test_the_worker_calls_our_signal_handlers(name):
    assert name in vars(ASGIWorker)
    assert f"self.{name}" in inspect.getsource(ASGIWorker.init_signals)
    assert name in vars(ReviewWorker)


def test_a_quick_shutdown_is_told_by_a_flag():
    source = inspect.getsource(ASGIWorker)
    assert "self._quick_shutdown = False" in source
    assert "self._quick_shutdown = True" in inspect.getsource(ASGIWorker.handle_quit_signal)


def test_the_loop_that_the_worker_makes_is_the_one_we_ask_for():
    assert "asgi_loop" in inspect.getsource(ASGIWorker._setup_event_loop)
    assert "uvloop.new_event_loop()" in inspect.getsource(ASGIWorker._setup_event_loop)


def test_the_arbiter_looks_after_workers_once_a_second():
    """`murder_workers` is called in each turn of the main loop, and looked up on the instance."""
    assert "self.murder_workers()" in inspect.getsource(Arbiter.run)
    assert list(inspect.signature(Arbiter.murder_workers).parameters) == ["self"]


def test_a_term_is_handled_by_a_method_of_that_name():
    assert list(inspect.signature(Arbiter.handle_term).parameters) == ["self"]
    assert "raise StopIteration" in inspect.getsource(Arbiter.handle_term)
    assert callable(GracefulShutdown.__call__)
    assert signal.SIGTERM in Arbiter.SIGNALS


def test_signals_are_queued():
    source = inspect.getsource(Arbiter)
    assert "SIG_QUEUE.put_nowait(" in source
    assert "SIG_QUEUE" in inspect.getsource(Arbiter.__init__) or "SIG_QUEUE" in vars(Arbiter)


def test_workers_are_kept_by_pid_and_know_their_parent():
    assert "self.WORKERS[pid] = worker" in inspect.getsource(Arbiter)
    assert "self.ppid = ppid" in inspect.getsource(ASGIWorker.__mro__[1])
