# Fits a parabola to ten points by gradient descent, and prints the loss every 5 steps.
#
# alfine gives the hyperparameters as arguments, --rate 0.1 --momentum 0.9, and finds loss=… in what the script prints.
given = Dict(ARGS[i][3:end] => ARGS[i+1] for i in 1:2:length(ARGS)-1)
rate = parse(Float64, given["rate"])
momentum = parse(Float64, given["momentum"])

function train(rate, momentum)
    x = collect(0:9) ./ 5 .- 1
    y = 2 .- x .+ 3 .* x .^ 2
    features = [ones(10) x x .^ 2]
    weights, velocity = zeros(3), zeros(3)
    for step in 1:50
        errors = features * weights .- y
        velocity = momentum .* velocity .- rate .* (features' * errors) ./ 5
        weights += velocity
        step % 5 == 0 && println("loss=", sum(errors .^ 2) / 10)
        flush(stdout)
    end
end

train(rate, momentum)
