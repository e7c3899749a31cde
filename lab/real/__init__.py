"""The lab on real parts: real Talos nodes and the real Cilium agent in network namespaces (`make lab-real`).

Needs Linux and root. Nothing outside its own namespaces, cgroups and directories is changed.
"""
