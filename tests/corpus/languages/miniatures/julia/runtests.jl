using Newton, Test

@testset "roots" begin
    @test newton(x -> x^2 - 2, x -> 2x, 1.0) ≈ sqrt(2)
    @test_throws DomainError newton(sqrt, x -> 1 / x, -1.0)
end
