"""What `go` says when a module is not available."""

from __future__ import annotations

import pytest

from lab.tools.proxy_refusal import refused_module

REFUSALS = {
    "not found": (
        (
            "go: downloading example.org/a v1.0.0\n"
            "go: example.org/b@v1.2.3: reading https://proxy.example.org/b/@v/v1.2.3.zip: 404 Not Found\n"
        ),
        "example.org/b@v1.2.3",
    ),
    "forbidden": (
        (
            "go: github.com/smira/containerd/v2@v2.2.3-0.2026: reading "
            "https://proxy.example.org/x.mod: 403 Forbidden\n\tresponse: this version is not available\n"
        ),
        "github.com/smira/containerd/v2@v2.2.3-0.2026",
    ),
    "asked for by another module": (
        (
            "../../pkg/x.go:5:2: github.com/a/b@v0.1.0 requires\n"
            "\tgithub.com/c/d@v0.2.0: unknown revision v0.2.0\n"
        ),
        "github.com/c/d@v0.2.0",
    ),
    "no network": (
        (
            'go: k8s.io/kubernetes@v1.36.3: Get "https://proxy.example.org/v1.36.3.mod": '
            "dial tcp: lookup proxy.example.org: no such host\n"
        ),
        "k8s.io/kubernetes@v1.36.3",
    ),
    "second tool of the same graph": (
        "go: k8s.io/kubernetes@v1.36.3: module lookup disabled by GOPROXY=off\n",
        "k8s.io/kubernetes@v1.36.3",
    ),
    "another wording of the proxy": (
        (
            "go: downloading sigs.k8s.io/kwok v0.8.0\n"
            "sigs.k8s.io/kwok@v0.8.0: reading https://proxy.example.org/v0.8.0.zip: 404 File not found\n"
        ),
        "sigs.k8s.io/kwok@v0.8.0",
    ),
    "no proxy at all": (
        "go: downloading sigs.k8s.io/kwok v0.8.0\nmodule lookup disabled by GOPROXY=off\n",
        "sigs.k8s.io/kwok@v0.8.0",
    ),
    "a directory to copy": (
        (
            '{\n\t"Path": "github.com/cilium/cilium",\n\t"Version": "v1.20.2",\n'
            '\t"Error": "module lookup disabled by GOPROXY=off"\n}\n'
        ),
        "github.com/cilium/cilium@v1.20.2",
    ),
    "checksum database": (
        (
            "go: golang.zx2c4.com/wireguard/wgctrl imports\n"
            "\tgithub.com/siderolabs/wgctrl-go@v0.0.0-2025: verifying module: "
            "github.com/siderolabs/wgctrl-go@v0.0.0-2025: reading https://sum.example.org/x: 404 Not Found\n"
        ),
        "github.com/siderolabs/wgctrl-go@v0.0.0-2025",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_refused_module_is_named(case: str) -> None:
    log, module = REFUSALS[case]

    assert refused_module(log) == module


def test_a_compiler_error_is_no_refusal() -> None:
    assert refused_module("# example.org/a\na.go:3:1: syntax error: unexpected }\n") is None


def test_a_compiler_error_in_a_module_directory_is_no_refusal() -> None:
    log = "# example.org/a\n/mod/example.org/a@v1.0.0/a.go:3:1: undefined: b (is not available)\n"

    assert refused_module(log) is None
