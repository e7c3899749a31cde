// Pins the module that holds the resource kinds of Flux's sources; only files are copied out of it.
module lab/go_modules/flux-crds

go 1.26.1

require github.com/fluxcd/source-controller v1.9.6 // indirect
