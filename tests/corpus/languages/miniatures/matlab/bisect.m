function [x, n] = bisect(f, a, b, tol)
%BISECT  Root of f between a and b.
%   [X, N] = BISECT(F, A, B, TOL) halves the interval until it is short.
n = 0;
while b - a > tol
    c = (a + b) / 2;
    if sign(f(c)) == sign(f(a))
        a = c;
    else
        b = c;
    end
    n = n + 1;
end
x = (a + b) / 2;
