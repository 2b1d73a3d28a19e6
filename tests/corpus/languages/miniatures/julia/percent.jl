%  this file is a listing in TeX
\begin{verbatim}
julia> 1 + 1
\end{verbatim}
