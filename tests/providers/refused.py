"""What a provider refuses, in no provider's shape yet."""


class Refused(Exception):
    """``code`` is the provider's own word for it, where the caller knows a better one than the status gives."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
