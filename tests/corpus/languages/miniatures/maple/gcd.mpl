# The greatest common divisor, with its trace.
with(LinearAlgebra):
euclid := proc(a::integer, b::integer)
    local r;
    option remember;
    if b = 0 then
        return abs(a);
    end if;
    r := irem(a, b);
    euclid(b, r);
end proc:
euclid(84, 36);
