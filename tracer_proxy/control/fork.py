"""A child process that shares what its parent has loaded, starts in milliseconds, and dies with its parent."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from tracer_proxy.control.events import Events

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None)


def fork(name: str, main: Callable[[], int]) -> int:
    """The child's pid; the child runs ``main`` and exits with what it returns. ``name`` is what ``ps`` shows of it.

    Only for a parent with a single thread and no event loop.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _detach(parent, name)
        code = main()
    except BaseException as error:
        Events().write_bug({"message": f"{name} failed", "exception": error})
    finally:
        sys.stdout.flush()
        os._exit(code)


def _detach(parent: int, name: str) -> None:
    # Ctrl-C and a closed terminal reach every process of a terminal's group; what they mean is the supervisor's to say.
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _libc.prctl(_PR_SET_NAME, name.encode())
