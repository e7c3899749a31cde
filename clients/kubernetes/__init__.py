"""The Kubernetes API and the records that Helm keeps in it."""
