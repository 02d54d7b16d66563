"""Model providers that play a script: OpenAI, Anthropic and Gemini as far as official SDKs need them for an agent's tool loop.

Unlike the bundled mock it is the tests' own: it keeps what it heard, with every header, and its ids are as bad as a test asks
for.
"""

from providers.behaviour import Behaviour
from providers.ids import IdStyle
from providers.journal import Heard
from providers.script import Call, Script, Step
from providers.server import ScriptedProvider, scripted_provider
from providers.tokens import TOKENS

__all__ = ["TOKENS", "Behaviour", "Call", "Heard", "IdStyle", "Script", "ScriptedProvider", "Step", "scripted_provider"]
