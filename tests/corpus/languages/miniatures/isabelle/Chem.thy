THY-file of a chemistry program
ATOM 1 C 0.000 1.200
ATOM 2 H 0.500 2.200
