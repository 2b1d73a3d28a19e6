A literate file. Only lines that begin with a mark are code.

> module Main
>
> main : IO ()
> main = putStrLn (show (sum [1, 2, 3]))
