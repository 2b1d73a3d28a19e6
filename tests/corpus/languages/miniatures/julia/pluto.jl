### A Pluto.jl notebook ###
# v0.19.25

using Markdown

# ╔═╡ 3a1f0e2c-0000-11ee-0001-aa11bb22cc33
md"The Riemann sum of ``x^2`` on ``[0, 1]``."

# ╔═╡ 3a1f0e2c-0000-11ee-0002-aa11bb22cc33
riemann(n) = sum((k / n)^2 for k in 1:n) / n
