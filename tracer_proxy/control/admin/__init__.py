"""The admin port: who may ask (``guard.py``), what is shown (``views.py``, ``exchanges.py``), and what can be
done (``app.py``).
"""

from tracer_proxy.control.admin.app import Admin

__all__ = ["Admin"]
