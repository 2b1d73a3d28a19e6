module Newton

using LinearAlgebra, Test
export newton

"""
    newton(f, df, x0; tol=1e-12)

Find a root of `f` that lies near `x0`.
"""
function newton(f, df, x0::T; tol = 1e-12) where {T<:AbstractFloat}
    x = x0
    while abs(f(x)) > tol
        x -= f(x) / df(x)
    end
    return x
end

end # module
