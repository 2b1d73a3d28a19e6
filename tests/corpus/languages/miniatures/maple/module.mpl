Orbit := module()
    option package;
    export stepsTo;
    local next;
    next := x -> ifelse(type(x, even), x/2, 3*x + 1);
    stepsTo := proc(n) local k, x; x := n;
        for k from 0 while x <> 1 do x := next(x) od;
        k
    end proc;
end module:
