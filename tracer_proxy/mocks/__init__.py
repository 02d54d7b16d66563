"""Stand-ins that users and our own tests run against. Built on aiohttp, and never on ``wire`` or ``genai``: a mock must be
able to disagree with the proxy's reading of a protocol.
"""
