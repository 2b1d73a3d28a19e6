\section{Booleans}
\begin{code}
data Bool : Set where
  true false : Bool
\end{code}
There are two of them.
