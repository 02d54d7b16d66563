"""OpenAI's wire format: requests read as strictly as the provider reads them, answers written as its clients expect them.

``fields.py`` and ``errors.py`` say what is wrong with a request. A chat: ``chat_request.py`` reads it (with ``messages.py``,
``offered_tools.py``, ``answer_format.py``), ``chat.py`` makes the completion, ``chat_stream.py`` cuts it into events. A
response: ``response_request.py`` (with ``response_items.py``), ``response.py``, ``response_stream.py``, and
``response_store.py`` keeps it. ``routes.py`` serves them all.
"""
