"""Why a Service has no address, or its address does not answer; `ops doctor` prints the findings."""
