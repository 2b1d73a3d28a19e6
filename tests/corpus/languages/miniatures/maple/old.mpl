read `tables.m`;
p := proc(n) if n < 2 then n else p(n-1) + p(n-2) fi end:
