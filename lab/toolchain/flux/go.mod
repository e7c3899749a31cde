// Pins the complete module graph of Flux's controllers for the handover test of the lab.
module lab/toolchain/flux

go 1.27.0
