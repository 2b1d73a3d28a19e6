[push!(LOAD_PATH, d) for d in ("src", "test")]
include("Newton.jl")
println(Newton.newton(x -> x - 1, x -> 1.0, 0.0))
