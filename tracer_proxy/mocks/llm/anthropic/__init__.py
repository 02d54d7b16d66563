"""Anthropic's wire format: requests read as strictly as the provider reads them, answers written as its clients expect them.

``fields.py`` says what is wrong with a request, ``messages_request.py`` reads one (with ``blocks.py``, ``turns.py``,
``offered_tools.py`` and ``thinking.py``), ``message.py`` makes the answer, ``message_stream.py`` cuts it into events,
``prompt_cache.py``, ``threads.py`` and ``models.py`` know what they are named after, ``routes.py`` serves it all.
"""
