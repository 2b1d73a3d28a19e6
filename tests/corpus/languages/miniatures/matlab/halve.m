## Copyright: everybody's
## -*- texinfo -*-
## @deftypefn {} {@var{y} =} halve (@var{x})
## Half of @var{x}.
## @end deftypefn

function y = halve (x)
  if (nargin != 1)
    print_usage ();
  endif
  y = x / 2;
endfunction

%!assert (halve (4), 2)
%!error halve ()
