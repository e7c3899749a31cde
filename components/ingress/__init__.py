"""Who asks for the address of the ingress, and the proof that it got it."""

from components.ingress.ingress_address import IngressService

__all__ = ["IngressService"]
