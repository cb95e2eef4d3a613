"""The base class of views that command one service's part of an order."""

from rest_framework.views import APIView

from cloudmart.kernel.guards import Guard, unguarded


class OrderCommand(APIView):
    """A view that calls its guard in the first transaction of the command. The URLconf sets the guard."""

    guard: Guard = staticmethod(unguarded)
