"""The data plane: what a worker process does with users' requests. Knows neither store, admin nor DeepDiff."""
