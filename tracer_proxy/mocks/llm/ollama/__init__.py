"""Ollama's wire format: requests read as leniently as it reads them, answers as JSON or, unless asked otherwise, as one JSON
text a line.

``fields.py`` says what is wrong with a request, ``chat_request.py`` reads one, ``said.py`` makes the answer and its lines,
``models.py`` knows the models, ``routes.py`` serves it all.
"""
