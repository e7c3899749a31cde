// Small programs that run inside the nodes of `make lab-real`; standard library only.
module lab/real

go 1.26.1
