"""What answers of models say.

    reader        beside the traffic: takes an answer's bytes as they come and tells what it said (``AnswerReader``)
    answer        what is gathered of one answer, whatever its wire format (``Answer``)
    lenient       values out of JSON that may be of any type
    chat          OpenAI chat completions and completions
    responses     OpenAI Responses
    messages      Anthropic Messages
    gemini        Gemini's generateContent, whole and as a stream, and embedContent
    embeddings    OpenAI embeddings

Enters: bytes of an answer as the server sent them, and when they came. Leaves: ``Answered``. Never: I/O, a clock, an exception
for wrong bytes.
"""

from tracer_proxy.genai.answers.reader import AnswerReader

__all__ = ["AnswerReader"]
