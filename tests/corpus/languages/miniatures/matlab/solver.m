:- module solver.
:- interface.
:- import_module int.
:- func double(int) = int.
:- implementation.
double(X) = X + X.
