"""Agents as their users write them, with the official SDKs. Nothing here knows of a proxy: only the base URL is given.

Each class keeps one conversation; ``turn`` takes what the user says and returns the answer, tools called on the way.
"""
