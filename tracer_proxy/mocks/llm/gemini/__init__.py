"""Gemini's wire format (the developer API): requests read as strictly as the provider reads them, answers written as its
clients expect them.

``fields.py`` says what is wrong with a request, ``generate_request.py`` reads one (with ``contents.py``,
``function_tools.py`` and ``openapi_schema.py``), ``generated.py`` makes the answer, ``generated_stream.py`` cuts it into
chunks, ``embeddings.py`` and ``models.py`` know what they are named after, ``routes.py`` serves it all.
"""
