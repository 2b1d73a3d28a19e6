\\ an elliptic curve of rank one
E = ellinit([0, 0, 1, -1, 0]);
ellrank(E)
forprime(p = 2, 50, print(p, " ", ellap(E, p)))
