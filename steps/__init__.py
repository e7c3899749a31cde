"""What a Pulumi Command runs: `python3 -IS steps <step>`, with the standard library only.

Data comes as environment (readable in a preview) and as one JSON object on stdin (secrets). The result
goes to stdout, progress and errors to stderr. Every step may be killed at any moment and run again.
"""
