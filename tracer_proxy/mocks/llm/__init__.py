"""A model endpoint that costs nothing, needs no network, and gives the same answer to the same request.

A provider's folder (``openai/``, ``anthropic/``, ``gemini/``, ``ollama/``) reads its wire format into a ``Conversation`` and
writes a ``Reply`` back in it. What the mock says is decided once, for every provider: ``answer.py`` (text or tool calls),
``tools.py`` (which tools), ``schema_data.py`` (with which arguments), ``ending.py`` (how far it goes), ``tokens.py`` (how long
it is), ``embedding.py`` (where it lies among other texts). What providers share about HTTP is in ``serving.py``, about checking
requests in ``fields.py``. Enters: HTTP requests. Leaves: answers that the provider's official clients accept, and a journal.
Never: a clock, dice, or the network.
"""

from tracer_proxy.mocks.llm.app import create_app, serve
from tracer_proxy.mocks.llm.settings import Settings
from tracer_proxy.mocks.server import RunningMock

__all__ = ["RunningMock", "Settings", "create_app", "serve"]
