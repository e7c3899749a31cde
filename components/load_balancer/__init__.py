"""The addresses of the LAN that Services get, and who announces them."""

from components.load_balancer.pool import LoadBalancerPool

__all__ = ["LoadBalancerPool"]
