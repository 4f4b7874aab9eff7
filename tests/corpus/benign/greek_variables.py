"""Physics with the usual letters."""
import math

π = math.pi
g = 9.81


def projectile(v0, θ_deg, Δt=0.01):
    θ = math.radians(θ_deg)
    vx, vy = v0 * math.cos(θ), v0 * math.sin(θ)
    x = y = t = 0.0
    while y >= 0:
        x += vx * Δt
        vy -= g * Δt
        y += vy * Δt
        t += Δt
    return x, t


def normal(x, μ=0.0, σ=1.0):
    return math.exp(-((x - μ) ** 2) / (2 * σ**2)) / (σ * math.sqrt(2 * π))


result = {"range": round(projectile(10, 45)[0], 1), "density": round(normal(0.5), 4), "Σ": sum(range(5))}
