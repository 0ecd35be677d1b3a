# Fits a smooth curve to R's data set «cars», and prints its error in a cross-validation.
#
# alfine gives the hyperparameters as arguments, --span 0.6 --degree 2, and finds rmse=… in what the script prints.
words <- commandArgs(trailingOnly = TRUE)
given <- setNames(words[c(FALSE, TRUE)], sub("^--", "", words[c(TRUE, FALSE)]))
span <- as.numeric(given[["span"]])
degree <- as.integer(given[["degree"]])

fold <- rep_len(1:5, nrow(cars))
errors <- unlist(lapply(1:5, function(k) {
  control <- loess.control(surface = "direct")
  model <- loess(dist ~ speed, cars[fold != k, ], span = span, degree = degree, control = control)
  predict(model, cars[fold == k, ]) - cars$dist[fold == k]
}))
cat(sprintf("rmse=%.6f\n", sqrt(mean(errors^2))))
