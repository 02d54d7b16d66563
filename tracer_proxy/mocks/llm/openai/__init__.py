"""OpenAI's wire format: requests read as strictly as the provider reads them, answers written as its clients expect them.

``fields.py`` and ``errors.py`` say what is wrong with a request, ``chat_request.py`` reads one (with ``messages.py`` and
``offered_tools.py``), ``chat.py`` makes the completion, ``chat_stream.py`` cuts it into events, ``routes.py`` serves it.
"""
