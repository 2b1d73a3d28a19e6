The roots of a quadratic, in literate style.

> module Roots where
> import Data.Complex
>
> roots :: Complex Double -> [Complex Double]
> roots z = [sqrt z, negate (sqrt z)]
