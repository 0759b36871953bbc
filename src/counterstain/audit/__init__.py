"""Is it true: audits of explanations and of classifiers."""
